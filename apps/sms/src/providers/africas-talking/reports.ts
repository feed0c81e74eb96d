import { z } from 'zod';
import { readFields, singleField, unreadable } from '../report-fields.ts';
import type { FieldValues, Read } from '../report-fields.ts';
import type { CallbackReader, OptOut, ReadReport } from '../provider.ts';
import { deliveryStatusOf } from './delivery-status.ts';
import { explanationOf } from './failure-reasons.ts';
import { networkOf } from './networks.ts';

/** The callbacks of Africa's Talking: both its forms and JSON. */
export const AFRICAS_TALKING_CALLBACKS: CallbackReader = {
  provider: 'africas-talking',
  fields: {
    report: z.looseObject({
      id: z.string().describe("the provider's id of the message"),
      status: z.string().describe('Sent, Submitted, Buffered, Rejected, Success, Failed ...'),
      phoneNumber: z.string().optional(),
      networkCode: z.string().optional(),
      failureReason: z.string().optional(),
      retryCount: z.string().optional(),
    }),
    optOut: z.looseObject({ senderId: z.string().optional(), phoneNumber: z.string() }),
  },
  readReport,
  readOptOut,
};

const LONGEST_ID = 255;
const LONGEST_STATUS = 50;
const LONGEST_TEXT = 100;

/** Only the id and the status are required: the others were seen missing. Fields that are not known are passed over. */
function readReport(bytes: Buffer): Read<ReadReport> {
  const fields = readFields(bytes);
  if (!fields.ok) return fields;
  const id = singleField(fields.value, 'id');
  if (!id.ok) return id;
  const status = singleField(fields.value, 'status');
  if (!status.ok) return status;
  if (id.value === null || /^none$/i.test(id.value)) return unreadable('id_missing');
  if (!isStorable(id.value, LONGEST_ID)) return unreadable('id_invalid');
  if (status.value === null) return unreadable('status_missing');
  if (!isStorable(status.value, LONGEST_STATUS)) return unreadable('status_invalid');
  const value = {
    providerMessageId: id.value,
    ...deliveryStatusOf(status.value),
    ...readDetails(fields.value),
  };
  return { ok: true, value };
}

/** An opt-out of bulk messages has a `senderId` and a `phoneNumber`. */
function readOptOut(bytes: Buffer): Read<OptOut> {
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
  const word = detail('failureReason');
  // The provider also writes `None`.
  const reason = word === null || /^(?:none|null)$/i.test(word) ? null : shortText(word);
  const networkCode = detail('networkCode');
  const retryCount = detail('retryCount');
  return {
    reason,
    explanation: reason === null ? null : explanationOf(reason),
    network: networkCode !== null && /^\d{4,6}$/.test(networkCode) ? networkOf(networkCode) : null,
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
  return text.slice(0, LONGEST_TEXT).toWellFormed().replaceAll('\0', '\uFFFD');
}
