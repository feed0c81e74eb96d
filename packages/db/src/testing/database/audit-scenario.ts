import type { Db } from '../../connection/db.ts';
import { releaseDeposit, resolveCallback } from '../../deposits/deposit-decisions.ts';
import { storeCallback } from '../../deposits/inbox.ts';
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

/** People decide that a message is nothing and that a payment above the limit is not posted: requests that moved nothing. */
async function decide(db: Db): Promise<void> {
  const decided = { decidedBy: 'a person', reason: 'it is nothing' };
  const callback = { kind: 'C2B_CONFIRMATION', source: null, body: Buffer.from('not JSON') } as const;
  const kept = { ...callback, outcome: 'QUARANTINED', error: 'not JSON', receipt: null } as const;
  const { id } = await storeCallback(db, kept);
  await resolveCallback(db, { ...decided, id, decision: 'keep', idempotencyKey: newKey() });
  const { receipt } = await recordDeposit(db, sampleDeposit({ amount: '10000000.01' }));
  await releaseDeposit(db, { ...decided, receipt, decision: 'reject', idempotencyKey: newKey() });
}

/** One of everything that a ledger does: deposits (one repeated), suspense, transfers, fees, holds, decisions and SMS. */
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
  await decide(db);
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
