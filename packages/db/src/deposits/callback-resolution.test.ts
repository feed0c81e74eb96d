import { expect, test } from 'vitest';
import { auditLedger } from '../audit/audit-ledger.ts';
import { findCallback, listCallbacks } from './callback-list.ts';
import { storeCallback } from './inbox.ts';
import { resolveCallback } from './deposit-decisions.ts';
import type { CallbackResolution } from './deposit-decisions.ts';
import { recordDeposit } from './record-deposits.ts';
import { meet, tally, useRace } from '../testing/ledger/race.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { openTestDb, useTestDb } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer } from '../testing/database/wallet-fixtures.ts';
import { transfer } from '../ledger/transfers.ts';

const database = useTestDb();
const race = useRace(database);

/** A deposit of 100.00 that is reported again with another amount; answers the id of the conflict. */
async function contradict(
  amount: string,
  { account, shortCode = '600123' }: { account: string; shortCode?: string },
): Promise<{ id: string; receipt: string }> {
  const receipt = newReceipt();
  await recordDeposit(database.db, sampleDeposit({ receipt, account, amount: '100.00' }));
  const said = sampleDeposit({ receipt, account, amount, shortCode });
  expect((await recordDeposit(database.db, said)).outcome).toBe('conflict');
  const { items } = await listCallbacks(database.db, { outcome: 'CONFLICT', receipt });
  expect(items).toMatchObject([{ amount, shortCode, decision: null }]);
  return { id: items[0]?.id ?? '', receipt };
}

function resolution(id: string, decision: CallbackResolution['decision']): CallbackResolution {
  return { id, decision, reason: 'Seen in the portal.', decidedBy: 'Wanjiru', idempotencyKey: newKey() };
}

test('a conflict that is kept moves nothing and waits no longer', async () => {
  const account = await openCustomer(database.db);
  const { id, receipt } = await contradict('250.00', { account });
  expect(await resolveCallback(database.db, resolution(id, 'keep'))).toEqual({
    reference: null,
    replayed: false,
  });
  expect(await balanceOf(database.sql, account)).toBe('100.00');
  expect((await listCallbacks(database.db, { outcome: 'CONFLICT', receipt })).items).toEqual([]);
  const decided = await listCallbacks(database.db, { outcome: 'CONFLICT', receipt, withDecided: true });
  expect(decided.items).toMatchObject([{ id, decision: { decision: 'KEPT', decidedBy: 'Wanjiru' } }]);
  expect(await resolveCallback(database.db, resolution(id, 'keep'))).toMatchObject({ replayed: true });
  expect(await refusalOf(resolveCallback(database.db, resolution(id, 'correct')))).toBe('already_resolved');
});

test.each([
  ['250.00', '250.00'],
  ['40.00', '40.00'],
])(
  'a deposit of 100.00 that is corrected to %s leaves %s, however many decide at once',
  async (said, left) => {
    const account = await openCustomer(database.db);
    const { id, receipt } = await contradict(said, { account });
    const told = await meet(
      race,
      account,
      Array.from({ length: 10 }, () => (db) => resolveCallback(db, resolution(id, 'correct'))),
    );
    expect(tally(told)).toEqual({ done: 10 });
    expect(await balanceOf(database.sql, account)).toBe(left);
    const again = await resolveCallback(database.db, resolution(id, 'correct'));
    expect(again).toEqual({ reference: `CR-${receipt}`, replayed: true });
  },
);

test('a correction leaves nothing for the audit to find', async () => {
  await using own = await openTestDb();
  const account = await openCustomer(own.db);
  for (const amount of ['250.00', '40.00']) {
    const receipt = newReceipt();
    await recordDeposit(own.db, sampleDeposit({ receipt, account, amount: '100.00' }));
    await recordDeposit(own.db, sampleDeposit({ receipt, account, amount }));
    const { items } = await listCallbacks(own.db, { receipt, outcome: 'CONFLICT' });
    await resolveCallback(own.db, resolution(items[0]?.id ?? '', 'correct'));
  }
  expect((await auditLedger(own.db)).checks.filter(({ findings }) => findings.length > 0)).toEqual([]);
});

test('another short code alone is corrected without moving money', async () => {
  const account = await openCustomer(database.db);
  const { id } = await contradict('100.00', { account, shortCode: '600456' });
  expect(await resolveCallback(database.db, resolution(id, 'correct'))).toMatchObject({ reference: null });
  expect(await balanceOf(database.sql, account)).toBe('100.00');
});

test('a correction never overdraws, and can be tried again when there is enough', async () => {
  const [account, other] = [await openCustomer(database.db), await openCustomer(database.db)];
  const { id } = await contradict('40.00', { account });
  await transfer(database.db, sampleTransfer({ from: account, to: other, amount: '90.00' }));
  expect(await refusalOf(resolveCallback(database.db, resolution(id, 'correct')))).toBe('insufficient_funds');
  await transfer(database.db, sampleTransfer({ from: other, to: account, amount: '90.00' }));
  await resolveCallback(database.db, resolution(id, 'correct'));
  expect(await balanceOf(database.sql, account)).toBe('40.00');
});

test('what went through suspense, and a second correction of one receipt, are refused', async () => {
  const { id } = await contradict('250.00', { account: '' });
  expect(await refusalOf(resolveCallback(database.db, resolution(id, 'correct')))).toBe('not_correctable');
  const account = await openCustomer(database.db);
  const { id: first, receipt } = await contradict('250.00', { account });
  await recordDeposit(database.db, sampleDeposit({ receipt, account, amount: '300.00' }));
  const { items } = await listCallbacks(database.db, { receipt, outcome: 'CONFLICT' });
  await resolveCallback(database.db, resolution(first, 'correct'));
  const second = items.find((each) => each.id !== first)?.id ?? '';
  expect(await refusalOf(resolveCallback(database.db, resolution(second, 'correct')))).toBe(
    'not_correctable',
  );
});

test('a message in quarantine can be put away, and one that waits for nobody cannot', async () => {
  const receipt = newReceipt();
  const { id } = await storeCallback(database.db, {
    kind: 'C2B_CONFIRMATION',
    receipt,
    outcome: 'QUARANTINED',
    error: 'amount_missing',
    source: null,
    body: Buffer.from('{"x":1}'),
  });
  expect((await findCallback(database.db, id))?.body).toEqual(new Uint8Array(Buffer.from('{"x":1}')));
  await resolveCallback(database.db, resolution(id, 'keep'));
  expect((await listCallbacks(database.db, { receipt })).items).toEqual([]);
  const paid = sampleDeposit();
  await recordDeposit(database.db, paid);
  const [credited] = (await listCallbacks(database.db, { receipt: paid.receipt })).items;
  const none = resolution(credited?.id ?? '', 'keep');
  expect(await refusalOf(resolveCallback(database.db, none))).toBe('nothing_to_resolve');
  const unknown = resolution('01a21bd1-88b7-7001-b061-5eacf7beda62', 'keep');
  expect(await refusalOf(resolveCallback(database.db, unknown))).toBe('unknown_callback');
});
