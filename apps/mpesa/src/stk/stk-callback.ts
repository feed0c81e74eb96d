import { findPayment, findPaymentByCheckout, recordPaymentFailure, recordUnproven } from '@repo/db';
import type { Deposit, Payment, PaymentIntake } from '@repo/db';
import { notStored } from '@repo/http';
import type { Callback } from '../callback.ts';
import { reasonOfResult } from '../daraja/result-codes.ts';
import { recordOrKeep } from '../deposit-outcome.ts';
import { UNREADABLE_REASONS } from '../message/reasons.ts';
import type { UnreadableReason } from '../message/reasons.ts';
import { assignPaid } from '../payments/assign-paid.ts';
import { quarantine } from '../quarantine.ts';
import type { CallbackContext } from '../quarantine.ts';
import { parseStk } from './parse-stk.ts';
import type { StkFailed, StkNames, StkPaid } from './parse-stk.ts';

export interface StkContext extends CallbackContext {
  readonly payments: PaymentIntake;
  /** When M-PESA is asked about a receipt that proves nothing; null where it cannot be asked. */
  readonly inquireMs: number | null;
}

/**
 * Takes in what M-PESA reports about a request to a phone. It resolves when the report is committed, whatever came of it,
 * and throws a 503 problem only when nothing could be stored.
 *
 * @param paymentId of the URL that we gave M-PESA for this payment: so a callback finds its payment also when the answer to
 * the request, and with it the CheckoutRequestID, was lost
 */
export async function takeStkCallback(
  context: StkContext,
  callback: Callback,
  paymentId: string | null,
): Promise<void> {
  const parsed = parseStk(callback.body.bytes);
  const names = parsed.ok ? parsed.message : parsed;
  const payment = await paymentOf(context, names, paymentId);
  if (!parsed.ok) {
    const { reason, receipt } = parsed;
    if (receipt === null) return quarantine(context, callback, { reason, receipt });
    return keepUnproven(context, callback, { payment, reason, receipt, phone: null });
  }
  const { message } = parsed;
  if (message.kind === 'failed') return takeFailure(context, callback, { payment, message });
  const { receipt, phone } = message;
  const reason = doubtAbout(payment, message);
  if (payment === null || reason !== null) {
    const why = reason ?? 'unknown_checkout';
    return keepUnproven(context, callback, { payment, reason: why, receipt, phone });
  }
  const { merchantRequestId, checkoutRequestId } = message;
  const record = () =>
    context.payments.record({
      deposit: stkDeposit(payment, message, { source: callback.source, body: callback.body.bytes }),
      payment: payment.id,
      merchantRequestId,
      checkoutRequestId,
    });
  const result = await recordOrKeep(context, { callback, receipt, record });
  const isInSuspense = result?.outcome === 'duplicate' && result.original === 'suspense';
  if (isInSuspense) await assignPaid(context, { id: payment.id, wallet: payment.wallet, receipt });
}

/** The payment that a callback is about, or null. Throws 503 when it cannot be looked up. */
async function paymentOf(
  { db }: StkContext,
  { checkoutRequestId }: StkNames,
  paymentId: string | null,
): Promise<Payment | null> {
  try {
    const named = paymentId === null ? null : await findPayment(db, paymentId);
    if (named !== null || checkoutRequestId === null) return named;
    return await findPaymentByCheckout(db, checkoutRequestId);
  } catch (error) {
    throw notStored(error);
  }
}

/** Why a callback about a payment of ours proves nothing all the same; null when it does. */
function doubtAbout(payment: Payment | null, { amount }: StkPaid): UnreadableReason | null {
  if (payment === null) return 'unknown_checkout';
  // M-PESA takes what it was told to ask for. Anything else comes from somebody else.
  return payment.amount === amount ? null : 'amount_differs';
}

async function takeFailure(
  context: StkContext,
  callback: Callback,
  { payment, message }: { readonly payment: Payment | null; readonly message: StkFailed },
): Promise<void> {
  const { merchantRequestId, checkoutRequestId, resultCode } = message;
  if (payment === null) {
    return quarantine(context, callback, { reason: 'unknown_checkout', receipt: null });
  }
  const { source, body } = callback;
  try {
    await recordPaymentFailure(context.db, {
      id: payment.id,
      kind: 'STK_CALLBACK',
      source,
      body: body.bytes,
      reason: reasonOfResult(resultCode) ?? 'other',
      resultCode,
      merchantRequestId,
      checkoutRequestId,
    });
  } catch (error) {
    throw notStored(error);
  }
}

async function keepUnproven(
  { db, log, metrics, inquireMs }: StkContext,
  { source, body }: Callback,
  unproven: {
    readonly payment: Payment | null;
    readonly reason: UnreadableReason;
    readonly receipt: string;
    readonly phone: string | null;
  },
): Promise<void> {
  const { payment, reason, receipt, phone } = unproven;
  try {
    await recordUnproven(db, {
      payment: payment?.id ?? null,
      kind: 'STK_CALLBACK',
      receipt,
      reason,
      phone,
      source,
      body: body.bytes,
      dueMs: inquireMs,
    });
  } catch (error) {
    throw notStored(error);
  }
  metrics.quarantined.inc({ reason });
  log.warn({ receipt, reason }, UNREADABLE_REASONS[reason]);
}

/** The money goes to the wallet that the payment was asked for, to the short code that it was asked for. */
export function stkDeposit(
  { shortCode, wallet, phone }: Pick<Payment, 'shortCode' | 'wallet'> & { readonly phone: string | null },
  message: StkPaid,
  { source, body }: { readonly source: string | null; readonly body: Uint8Array },
): Deposit {
  return {
    receipt: message.receipt,
    amount: message.amount,
    shortCode,
    account: wallet,
    paidAt: message.paidAt ?? new Date(),
    payer: { phone: message.phone ?? phone, phoneHash: null, name: null },
    callback: { kind: 'STK_CALLBACK', source, body, payload: message.payload },
  };
}
