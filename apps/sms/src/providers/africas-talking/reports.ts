import { readFields, singleField, unreadable } from '../report-fields.ts';
import type { FieldValues, Read } from '../report-fields.ts';
import { canonicalStatus } from './delivery-status.ts';

/** What the provider reports of a message on its way. It may come several times, out of order, and before the answer. */
export interface DeliveryReport {
  readonly providerMessageId: string;
  /** In the provider's spelling; a status that is not listed is as it was sent. */
  readonly status: string;
  /** As it was sent; null when there is none (the provider also writes `None`). */
  readonly failureReason: string | null;
  /** Digits, such as `63902`; null when absent. */
  readonly networkCode: string | null;
  readonly retryCount: number | null;
  /** Digits of the number, personal data; null when absent or masked. */
  readonly phone: string | null;
}

/** A customer's wish to get no more messages from a sender. */
export interface OptOut {
  /** Whose messages; null when it was not said. */
  readonly senderId: string | null;
  /** Digits, personal data. */
  readonly phone: string;
}

const longestId = 255;
const longestStatus = 50;
const longestText = 100;

/**
 * Reads the bytes of a delivery report of Africa's Talking, form or JSON. Only the id and the status are required: the others were
 * seen missing. Fields that are not known are passed over.
 */
export function readDeliveryReport(bytes: Buffer): Read<DeliveryReport> {
  const fields = readFields(bytes);
  if (!fields.ok) return fields;
  const id = singleField(fields.value, 'id');
  if (!id.ok) return id;
  const status = singleField(fields.value, 'status');
  if (!status.ok) return status;
  if (id.value === null || /^none$/i.test(id.value)) return unreadable('id_missing');
  if (!isStorable(id.value, longestId)) return unreadable('id_invalid');
  if (status.value === null) return unreadable('status_missing');
  if (!isStorable(status.value, longestStatus)) return unreadable('status_invalid');
  const value = {
    providerMessageId: id.value,
    status: canonicalStatus(status.value),
    ...readDetails(fields.value),
  };
  return { ok: true, value };
}

/** Reads an opt-out of bulk messages: `senderId` and `phoneNumber`. */
export function readOptOut(bytes: Buffer): Read<OptOut> {
  const fields = readFields(bytes);
  if (!fields.ok) return fields;
  const sender = singleField(fields.value, 'senderId');
  if (!sender.ok) return sender;
  const number = singleField(fields.value, 'phoneNumber');
  if (!number.ok) return number;
  const phone = digitsOf(number.value);
  if (phone === null) return unreadable('phone_missing');
  return { ok: true, value: { senderId: sender.value === null ? null : shortText(sender.value), phone } };
}

/** What is good to know. A conflict or nonsense here does not cost the report: the field is null. */
function readDetails(fields: FieldValues) {
  const detail = (name: string) => {
    const field = singleField(fields, name);
    return field.ok ? field.value : null;
  };
  const reason = detail('failureReason');
  const networkCode = detail('networkCode');
  const retryCount = detail('retryCount');
  return {
    failureReason: reason === null || /^(?:none|null)$/i.test(reason) ? null : shortText(reason),
    networkCode: networkCode !== null && /^\d{4,6}$/.test(networkCode) ? networkCode : null,
    retryCount: retryCount !== null && /^\d{1,6}$/.test(retryCount) ? Number(retryCount) : null,
    phone: digitsOf(detail('phoneNumber')),
  };
}

function digitsOf(text: string | null): string | null {
  return /^\+?([1-9]\d{7,14})$/.exec(text?.replace(/\s/g, '') ?? '')?.[1] ?? null;
}

/** Whether a column of that length takes the text as it is. Ids are never cut: a cut id is another message's. */
function isStorable(text: string, longest: number): boolean {
  return text.length <= longest && !text.includes('\0') && text.isWellFormed();
}

/** Words for people may be cut. */
function shortText(text: string): string {
  return text.slice(0, longestText).toWellFormed().replaceAll('\0', '\uFFFD');
}
