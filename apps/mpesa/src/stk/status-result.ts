import { findInquiry, findPayment, refuteInquiry, storeCallback } from '@repo/db';
import type { Deposit, InquiryFacts, Payment } from '@repo/db';
import { notStored } from '@repo/http';
import type { Callback } from '../callback.ts';
import { recordOrKeep } from '../deposit-outcome.ts';
import { storableText } from '../message/text.ts';
import { quarantine } from '../quarantine.ts';
import { parseStatus } from './parse-status.ts';
import type { StatusMessage } from './parse-status.ts';
import type { StkContext } from './stk-callback.ts';

export interface StatusContext extends StkContext {
  /** The short codes that are ours: money that went to others proves nothing. */
  readonly receivers: readonly string[];
}

type Completed = Extract<StatusMessage, { kind: 'completed' }>;

/**
 * Takes in what M-PESA says of a receipt that we asked about. A payment to us is proved by it and recorded as a deposit: for
 * the wallet of the payment that it was reported for, otherwise in suspense. Resolves when it is committed.
 *
 * @param inquiryId of the URL that we gave M-PESA with the question
 */
export async function takeStatusResult(
  context: StatusContext,
  callback: Callback,
  inquiryId: string,
): Promise<void> {
  const parsed = parseStatus(callback.body.bytes);
  if (!parsed.ok) return quarantine(context, callback, parsed);
  const { message } = parsed;
  const { inquiry, payment } = await factsOf(context, inquiryId);
  if (inquiry === null) {
    const receipt = message.kind === 'completed' ? message.receipt : null;
    return quarantine(context, callback, { reason: 'unknown_inquiry', receipt });
  }
  if (message.kind === 'open')
    return note(context, callback, { receipt: inquiry.receipt, why: 'not_completed' });
  if (message.kind === 'refuted') return refute(context, callback, { inquiry, reason: message.reason });
  const { receipt, receiver } = message;
  if (receipt !== inquiry.receipt) {
    return quarantine(context, callback, { reason: 'receipt_differs', receipt });
  }
  if (receiver === null || !context.receivers.includes(receiver)) {
    return refute(context, callback, { inquiry, reason: 'paid_to_others' });
  }
  const deposit = depositOf({ message, inquiry, payment, callback, shortCode: receiver });
  const record = () =>
    context.payments.record({
      deposit,
      payment: payment?.id ?? null,
      merchantRequestId: null,
      checkoutRequestId: null,
    });
  await recordOrKeep(context, { callback, receipt, record });
}

/** M-PESA could not say anything in time. The inquiry stays open and is asked again. */
export async function takeStatusTimeout(context: StkContext, callback: Callback): Promise<void> {
  await note(context, callback, { receipt: null, why: 'queue_timeout' });
}

async function factsOf(
  { db }: StatusContext,
  id: string,
): Promise<{ readonly inquiry: InquiryFacts | null; readonly payment: Payment | null }> {
  try {
    const inquiry = await findInquiry(db, id);
    const payment = inquiry?.payment === undefined ? null : inquiry.payment;
    return { inquiry, payment: payment === null ? null : await findPayment(db, payment) };
  } catch (error) {
    throw notStored(error);
  }
}

async function refute(
  context: StatusContext,
  callback: Callback,
  { inquiry, reason }: { readonly inquiry: InquiryFacts; readonly reason: string },
): Promise<void> {
  await note(context, callback, { receipt: inquiry.receipt, why: reason });
  try {
    await refuteInquiry(context.db, inquiry.receipt, reason);
  } catch (error) {
    // It is stored; the inquiry is asked again, and answered again.
    context.log.warn({ err: error, receipt: inquiry.receipt }, 'an inquiry could not be ended');
  }
}

async function note(
  { db }: StkContext,
  { kind, source, body }: Callback,
  { receipt, why }: { readonly receipt: string | null; readonly why: string },
): Promise<void> {
  try {
    await storeCallback(db, { kind, receipt, outcome: 'NOTED', error: why, source, body: body.bytes });
  } catch (error) {
    throw notStored(error);
  }
}

interface Proof {
  readonly message: Completed;
  readonly inquiry: InquiryFacts;
  readonly payment: Payment | null;
  readonly callback: Callback;
  readonly shortCode: string;
}

/** What M-PESA proves counts; of the first report only the payer's number, where the answer masks it. */
function depositOf({ message, inquiry, payment, callback, shortCode }: Proof): Deposit {
  return {
    receipt: message.receipt,
    amount: message.amount,
    shortCode: payment?.shortCode ?? shortCode,
    account: payment?.wallet ?? '',
    paidAt: message.paidAt ?? new Date(),
    payer: {
      phone: inquiry.phone ?? message.phone,
      phoneHash: null,
      name: message.name === null ? null : storableText(message.name),
    },
    callback: {
      kind: 'STATUS_RESULT',
      source: callback.source,
      body: callback.body.bytes,
      payload: message.payload,
    },
  };
}
