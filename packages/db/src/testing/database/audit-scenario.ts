import { recordDeposit } from '../../deposits/record-deposits.ts';
import { captureHold, hold } from '../../ledger/holds.ts';
import { reverseTransaction } from '../../ledger/reversals.ts';
import { settleSms } from '../../sms/settlements.ts';
import { assignSuspense } from '../../ledger/assign-suspense.ts';
import { transfer } from '../../ledger/transfers.ts';
import { addFeeRule } from '../ledger/fees.ts';
import { newKey, sampleTransfer } from '../ledger/requests.ts';
import { payIntoSuspense } from '../ledger/suspense.ts';
import { newReceipt, sampleDeposit } from '../deposits/sample-deposit.ts';
import { accepted, claim } from '../sms/messages.ts';
import type { TestDb } from './test-db.ts';
import { openCustomer } from './wallet-fixtures.ts';

/** What a test can damage, by name. */
export interface AuditScenario {
  readonly from: string;
  readonly to: string;
  readonly deposit: string;
  readonly waiting: string;
  readonly assigned: string;
  readonly transfer: string;
  /** Reversed in part. */
  readonly reversed: string;
  readonly reversal: string;
  readonly capture: string;
  readonly captured: string;
  readonly active: string;
}

/** One of everything that a ledger does: two deposits (one repeated), suspense, transfers, fees, holds and SMS. */
export async function playEverything({ db, sql }: Pick<TestDb, 'db' | 'sql'>): Promise<AuditScenario> {
  await addFeeRule(sql, { flat: '1.00' });
  await addFeeRule(sql, { type: 'WITHDRAWAL', flat: '2.00' });
  const [from, to] = [await openCustomer(db), await openCustomer(db)];
  const deposit = newReceipt();
  await recordDeposit(db, sampleDeposit({ receipt: deposit, account: from, amount: '500.00' }));
  await recordDeposit(db, sampleDeposit({ receipt: deposit, account: from, amount: '500.00' }));
  const waiting = await payIntoSuspense(db);
  const assigned = await payIntoSuspense(db);
  await assignSuspense(db, { receipt: assigned, wallet: to, idempotencyKey: newKey() });
  const sent = await transfer(db, sampleTransfer({ from, to, amount: '20.00' }));
  const other = await transfer(db, sampleTransfer({ from, to, amount: '30.00' }));
  const reversal = await reverseTransaction(db, {
    reference: other.reference,
    amount: '12.50',
    idempotencyKey: newKey(),
  });
  const active = await hold(db, { wallet: from, amount: '40.00', idempotencyKey: newKey() });
  const captured = await hold(db, { wallet: from, amount: '25.00', idempotencyKey: newKey() });
  const capture = await captureHold(db, {
    holdId: captured.id,
    to: 'MPESA-FLOAT',
    amount: '20.00',
    idempotencyKey: newKey(),
  });
  const { messages } = await claim(db);
  await settleSms(
    db,
    messages.map((message) => accepted(message)),
  );
  return {
    from,
    to,
    deposit,
    waiting,
    assigned,
    transfer: sent.reference,
    reversed: other.reference,
    reversal: reversal.reference,
    capture: capture.reference,
    captured: captured.id,
    active: active.id,
  };
}
