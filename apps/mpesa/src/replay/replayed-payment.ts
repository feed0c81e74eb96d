import { DaftariError, findPayment, findPaymentByCheckout, paymentOfInquiry } from '@repo/db';
import type { CallbackReplay, Handle, Payment } from '@repo/db';
import { httpProblem } from '@repo/http';
import { depositOf } from '../confirmation.ts';
import { UNREADABLE_REASONS } from '../message/reasons.ts';
import type { UnreadableReason } from '../message/reasons.ts';
import { parseC2b } from '../parse-c2b.ts';
import { parseStatus } from '../stk/parse-status.ts';
import { parseStk } from '../stk/parse-stk.ts';
import type { StkPaid } from '../stk/parse-stk.ts';
import { stkDeposit } from '../stk/stk-callback.ts';

/** Where callbacks belong that do not say it themselves. */
export interface ReplayContext {
  readonly db: Handle;
  /** The paybill or till that phones are asked to pay to; null where they are not asked. */
  readonly receiver: string | null;
}

/** What a person has taken in again. */
export interface ReplayedBody {
  readonly bytes: Uint8Array;
  /** The receipt of the callback as it was kept; null where none could be read. */
  readonly keptReceipt: string | null;
  /** The payment that it is about, where the person says it. */
  readonly namedPayment: string | undefined;
}

/** What a body that is taken in again reports, and which payment it settles. */
export type ReplayedPayment = Pick<CallbackReplay, 'deposit' | 'settles'>;

/**
 * Reads a body that a person has taken in again: a C2B confirmation, or the callback of a request to a phone.
 *
 * @throws HttpProblem 422 when it reports no payment that can be read, or names another payment than the person
 * @throws DaftariError `unknown_payment`
 */
export async function readReplayedPayment(
  context: ReplayContext,
  replayed: ReplayedBody,
): Promise<ReplayedPayment> {
  const { bytes: body, namedPayment } = replayed;
  const bytes = Buffer.from(body);
  const stk = parseStk(bytes);
  if (!stk.ok && stk.reason === 'callback_missing') {
    if (parseStatus(bytes).ok)
      throw unusable('M-PESA is asked about its receipt: an answer is not taken in again.');
    const c2b = parseC2b(bytes);
    if (!c2b.ok) throw unreadableBody(c2b.reason);
    if (namedPayment !== undefined) {
      throw unusable('A C2B confirmation finds its payment by itself: leave `payment` out.');
    }
    return { deposit: depositOf(c2b.message, { source: null, body }) };
  }
  if (!stk.ok) throw unreadableBody(stk.reason);
  if (stk.message.kind === 'failed') {
    throw unusable('The callback says that nothing was paid, so there is nothing to take in.');
  }
  return settling(context, { ...replayed, message: stk.message });
}

async function settling(
  { db, receiver }: ReplayContext,
  replayed: ReplayedBody & { readonly message: StkPaid },
): Promise<ReplayedPayment> {
  const { message, bytes: body } = replayed;
  const { checkoutRequestId, merchantRequestId } = message;
  const payment = await paymentOf(db, replayed);
  if (payment === null) {
    if (receiver === null) {
      throw unusable(
        'The callback does not say which number was paid: name its payment, or send a C2B body.',
      );
    }
    // Nobody asked for it here: it waits in suspense until somebody says whose it is.
    const nobody = { shortCode: receiver, wallet: '', phone: null };
    return { deposit: stkDeposit(nobody, message, { source: null, body }) };
  }
  if (payment.amount !== message.amount) throw unreadableBody('amount_differs');
  return {
    deposit: stkDeposit(payment, message, { source: null, body }),
    settles: { payment: payment.id, merchantRequestId, checkoutRequestId },
  };
}

/** The payment that the person names, that M-PESA calls so, or whose URL the callback came to. */
async function paymentOf(
  db: Handle,
  { message, namedPayment, keptReceipt }: ReplayedBody & { readonly message: StkPaid },
): Promise<Payment | null> {
  const { checkoutRequestId } = message;
  const called = checkoutRequestId === null ? null : await findPaymentByCheckout(db, checkoutRequestId);
  if (namedPayment !== undefined) {
    const named = await findPayment(db, namedPayment);
    if (named === null) throw new DaftariError('unknown_payment');
    if (called !== null && called.id !== named.id) {
      throw unusable(
        'M-PESA calls another payment by this CheckoutRequestID: name that one, or correct the body.',
      );
    }
    return named;
  }
  if (called !== null || keptReceipt === null) return called;
  const told = await paymentOfInquiry(db, keptReceipt);
  return told === null ? null : findPayment(db, told);
}

function unreadableBody(reason: UnreadableReason) {
  return unusable(UNREADABLE_REASONS[reason]);
}

function unusable(detail: string) {
  return httpProblem('invalid_request', { detail });
}
