import type { Db } from '../connection/db.ts';
import type { Handle } from '../connection/handle.ts';
import { recordDeposit } from '../deposits/record-deposits.ts';
import type { DepositResult } from '../deposits/deposit.ts';
import { notePaymentAnswer } from '../payments/payment-answers.ts';
import { recordPayments } from '../payments/payment-intake.ts';
import { recordPaymentFailure } from '../payments/payment-reports.ts';
import type { Payment } from '../payments/payment.ts';
import { requestPayment } from '../payments/request-payment.ts';
import { sampleDeposit } from './deposits/sample-deposit.ts';
import { newKey } from './ledger/requests.ts';

export const SHORT_CODE = '600123';
export const PAYER = '254700000126';

/** What a test may say of a request; the rest is ordinary. */
export interface PaymentFacts {
  readonly wallet: string;
  readonly amount?: string;
  readonly reference?: string;
  readonly key?: string;
}

/** Writes a payment down as asked for. */
export async function askFor(db: Db, facts: PaymentFacts): Promise<Payment> {
  const { wallet, amount = '150.00', reference, key = newKey() } = facts;
  const { payment } = await requestPayment(db, {
    wallet,
    amount,
    phone: PAYER,
    ...(reference === undefined ? {} : { reference }),
    shortCode: SHORT_CODE,
    idempotencyKey: key,
    leaseMs: 60_000,
  });
  return payment;
}

/** Notes that M-PESA accepted it; nobody asks about it by itself. */
export async function accept(db: Db, { id }: Payment, checkoutRequestId = `ws_CO_${id}`): Promise<void> {
  const answer = { kind: 'ACCEPTED', merchantRequestId: null, checkoutRequestId, dueMs: null } as const;
  await notePaymentAnswer(db, { id, attempt: 1, answer });
}

/** Reports the receipt of a payment, as the callback of the request does. */
export async function reportPaid(
  db: Handle,
  payment: Payment,
  facts: {
    readonly receipt: string;
    readonly amount?: string;
    readonly kind?: 'STK_CALLBACK' | 'STATUS_RESULT';
  },
): Promise<DepositResult> {
  const { receipt, amount = payment.amount, kind = 'STK_CALLBACK' } = facts;
  const { wallet: account, shortCode, phone } = payment;
  const deposit = sampleDeposit({
    receipt,
    amount,
    account,
    shortCode,
    phone,
    name: null,
    kind,
  });
  const names = { merchantRequestId: null, checkoutRequestId: `ws_CO_${payment.id}` };
  const [result] = await recordPayments(db, [{ deposit, payment: payment.id, ...names }]);
  if (result === undefined) throw new RangeError('one receipt has one result');
  return result;
}

/** Reports that a payment came to nothing, as the callback of the request does. */
export async function reportFailed(db: Db, { id }: Payment, reason = 'cancelled'): Promise<void> {
  await recordPaymentFailure(db, {
    id,
    kind: 'STK_CALLBACK',
    source: null,
    body: Buffer.from('{}'),
    reason,
    resultCode: '1032',
    merchantRequestId: null,
    checkoutRequestId: `ws_CO_${id}`,
  });
}

/** Reports the same receipt as a C2B confirmation does: the account is what the request named, the number is masked. */
export async function confirm(
  db: Handle,
  payment: Payment,
  facts: { readonly receipt: string; readonly amount?: string; readonly account?: string },
): Promise<DepositResult> {
  const { receipt, amount = payment.amount, account = payment.reference } = facts;
  const deposit = sampleDeposit({
    receipt,
    amount,
    account,
    shortCode: payment.shortCode,
    phone: '2547 ***** 126',
    name: 'ATIENO',
    paidAt: new Date(),
  });
  return recordDeposit(db, deposit);
}
