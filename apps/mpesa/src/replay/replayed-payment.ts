import { findPayment, findPaymentByCheckout } from '@repo/db';
import type { CallbackReplay, Handle, Payment } from '@repo/db';
import { httpProblem } from '@repo/http';
import { depositOf } from '../confirmation.ts';
import { UNREADABLE_REASONS } from '../message/reasons.ts';
import type { UnreadableReason } from '../message/reasons.ts';
import { parseC2b } from '../parse-c2b.ts';
import { parseStk } from '../stk/parse-stk.ts';
import type { StkPaid } from '../stk/parse-stk.ts';
import { stkDeposit } from '../stk/stk-callback.ts';

/** Where callbacks belong that do not say it themselves. */
export interface ReplayContext {
  readonly db: Handle;
  /** The paybill or till that phones are asked to pay to; null where they are not asked. */
  readonly receiver: string | null;
}

/** What a body that is taken in again reports, and which payment it settles. */
export type ReplayedPayment = Pick<CallbackReplay, 'deposit' | 'settles'>;

/**
 * Reads a body that a person has taken in again: a C2B confirmation, or the callback of a request to a phone.
 *
 * @param paymentId the payment that a callback is about, where the person says it; otherwise its CheckoutRequestID does
 * @throws HttpProblem 422 when it reports no payment that can be read
 */
export async function readReplayedPayment(
  context: ReplayContext,
  body: Uint8Array,
  paymentId: string | undefined,
): Promise<ReplayedPayment> {
  const bytes = Buffer.from(body);
  const stk = parseStk(bytes);
  if (!stk.ok && stk.reason === 'callback_missing') {
    const c2b = parseC2b(bytes);
    if (!c2b.ok) throw unreadableBody(c2b.reason);
    return { deposit: depositOf(c2b.message, { source: null, body }) };
  }
  if (!stk.ok) throw unreadableBody(stk.reason);
  if (stk.message.kind === 'failed') {
    throw httpProblem('invalid_request', {
      detail: 'The callback says that nothing was paid, so there is nothing to take in.',
    });
  }
  return settling(context, { message: stk.message, body, paymentId });
}

async function settling(
  { db, receiver }: ReplayContext,
  replayed: { readonly message: StkPaid; readonly body: Uint8Array; readonly paymentId: string | undefined },
): Promise<ReplayedPayment> {
  const { message, body, paymentId } = replayed;
  const { checkoutRequestId, merchantRequestId } = message;
  const payment = await paymentOf(db, checkoutRequestId, paymentId);
  if (payment === null) {
    if (receiver === null) {
      const detail = 'The callback does not say which number was paid: name its payment, or send a C2B body.';
      throw httpProblem('invalid_request', { detail });
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

async function paymentOf(
  db: Handle,
  checkoutRequestId: string | null,
  paymentId: string | undefined,
): Promise<Payment | null> {
  if (paymentId !== undefined) {
    const named = await findPayment(db, paymentId);
    if (named === null) throw httpProblem('not_found', { detail: 'No payment has this id.' });
    return named;
  }
  return checkoutRequestId === null ? null : findPaymentByCheckout(db, checkoutRequestId);
}

function unreadableBody(reason: UnreadableReason) {
  return httpProblem('invalid_request', { detail: UNREADABLE_REASONS[reason] });
}
