import { expect, test } from 'vitest';
import type { BookEntry } from '@repo/statements/testing/statement-file';
import { transaction } from '../connection/transaction.ts';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { importBook, newShortCode, noonPlus, reconcileDay } from '../testing/statements.ts';
import { breakHistory, changeBreaks, listBreaks } from './breaks.ts';
import type { BreakChange } from './breaks.ts';

const database = useTestDb();

function entry(facts: Partial<BookEntry> = {}): BookEntry {
  return { receipt: newReceipt(), at: noonPlus(0), what: 'payout', cents: 150_00n, ...facts };
}

/** A short code with breaks of these amounts, in shillings. */
async function withBreaks(amounts: readonly number[], what: BookEntry['what'] = 'payout') {
  const shortCode = newShortCode();
  const book = amounts.map((amount, i) => entry({ what, cents: BigInt(amount) * 100n, at: noonPlus(i) }));
  await importBook(database.db, book, { shortCode, opening: 1_000_000_00n });
  await reconcileDay(database.db, shortCode);
  return { shortCode, book };
}

async function only(shortCode: string) {
  const [found, ...more] = await listBreaks(database.db, { shortCode });
  expect(more).toEqual([]);
  if (found === undefined) throw new Error('there is no break');
  return found;
}

async function change(facts: Omit<BreakChange, 'breaks'>, id: string) {
  return changeBreaks(database.db, { ...facts, breaks: [{ id }] });
}

test('what is open is due by its amount, and has the age of its line', async () => {
  const { shortCode } = await withBreaks([99, 10_000, 100_000]);
  const at = (days: number) => new Date(noonPlus(2) + days * 86_400_000);
  const seen = await listBreaks(database.db, { shortCode }, at(2));
  expect(seen.map(({ amount, age, isOverdue, status }) => [amount, age, isOverdue, status])).toEqual([
    ['100000.00', '1-3d', true, 'OPEN'],
    ['10000.00', '1-3d', false, 'OPEN'],
    ['99.00', '1-3d', false, 'OPEN'],
  ]);
  const [first] = seen;
  expect(first?.dueAt).toEqual(at(1));
  const ageAfter = async (days: number) =>
    (await listBreaks(database.db, { shortCode, minAmount: '100000' }, at(days))).map(({ age }) => age);
  expect([await ageAfter(0.9), await ageAfter(3), await ageAfter(7), await ageAfter(7.1)]).toEqual([
    ['<1d'],
    ['3-7d'],
    ['3-7d'],
    ['>7d'],
  ]);
});

test('a break is assigned, proposed, approved by another person and resolved, and each step is kept', async () => {
  const { shortCode } = await withBreaks([150]);
  const { id } = await only(shortCode);
  const steps: Omit<BreakChange, 'breaks'>[] = [
    { action: 'assign', by: 'Akinyi', assignee: 'Baraka' },
    { action: 'propose', by: 'Baraka', reason: 'mpesa_error', comment: 'paid twice', evidence: 'ticket 17' },
    { action: 'approve', by: 'Akinyi' },
    { action: 'resolve', by: 'Baraka' },
  ];
  for (const step of steps) expect(await change(step, id)).toEqual({ changed: 1, refused: [] });
  expect(await only(shortCode)).toMatchObject({
    status: 'RESOLVED',
    assignee: 'Baraka',
    proposedBy: 'Baraka',
    reason: 'mpesa_error',
    comment: 'paid twice',
    evidence: 'ticket 17',
    version: 5,
  });
  expect((await breakHistory(database.db, id)).map(({ action, actor }) => [action, actor])).toEqual([
    ['found', expect.any(String)],
    ['assign', 'Akinyi'],
    ['propose', 'Baraka'],
    ['approve', 'Akinyi'],
    ['resolve', 'Baraka'],
  ]);
  // Reconciled again without any news, it stays resolved.
  await reconcileDay(database.db, shortCode);
  expect(await only(shortCode)).toMatchObject({ status: 'RESOLVED', version: 5 });
  expect(await change({ action: 'reopen', by: 'Akinyi', comment: 'it was not' }, id)).toMatchObject({
    changed: 1,
  });
});

test('who proposed does not approve, no step is left out, and what has changed is stale', async () => {
  const { shortCode } = await withBreaks([150]);
  const { id, version } = await only(shortCode);
  const refusal = async (facts: Omit<BreakChange, 'breaks'>) => (await change(facts, id)).refused[0]?.reason;
  expect(await refusal({ action: 'approve', by: 'Akinyi' })).toBe('wrong_status');
  expect(await refusal({ action: 'resolve', by: 'Akinyi' })).toBe('wrong_status');
  await change({ action: 'propose', by: 'Baraka', reason: 'timing' }, id);
  expect(await refusal({ action: 'approve', by: 'Baraka' })).toBe('same_person');
  expect(
    await changeBreaks(database.db, { action: 'approve', by: 'Akinyi', breaks: [{ id, version }] }),
  ).toEqual({ changed: 0, refused: [{ id, reason: 'stale' }] });
  await change({ action: 'reject', by: 'Akinyi' }, id);
  expect(await only(shortCode)).toMatchObject({ status: 'OPEN', proposedBy: null, reason: null });
  await expect(change({ action: 'propose', by: 'Baraka' }, id)).rejects.toMatchObject({
    code: 'invalid_request',
  });
  const nobody = '00000000-0000-4000-8000-000000000000';
  expect(await change({ action: 'approve', by: 'Akinyi' }, nobody)).toEqual({
    changed: 0,
    refused: [{ id: nobody, reason: 'unknown_break' }],
  });
  await expect(breakHistory(database.db, nobody)).rejects.toMatchObject({ code: 'unknown_break' });
});

test('many are changed by a filter, and a trial counts them and changes nothing', async () => {
  const { shortCode } = await withBreaks([10, 20, 30, 40]);
  const small = { shortCode, maxAmount: '30' };
  const assigning = { action: 'assign', by: 'Akinyi', assignee: 'Baraka', breaks: small } as const;
  expect(await changeBreaks(database.db, { ...assigning, isTrial: true })).toEqual({
    changed: 3,
    refused: [],
  });
  expect(await listBreaks(database.db, { shortCode, status: 'ASSIGNED' })).toEqual([]);
  expect(await changeBreaks(database.db, assigning)).toEqual({ changed: 3, refused: [] });
  expect(await listBreaks(database.db, { shortCode, assignee: 'Baraka' })).toHaveLength(3);
});

test('of two who approve at the same time one does, and the history has no gap', async () => {
  const { shortCode } = await withBreaks([150]);
  const { id } = await only(shortCode);
  await change({ action: 'propose', by: 'Baraka', reason: 'timing' }, id);
  const approve = { action: 'approve', breaks: [{ id }] } as const;
  const { second } = await transaction(database.db, async (handle) => {
    expect(await changeBreaks(handle, { ...approve, by: 'Akinyi' })).toMatchObject({ changed: 1 });
    const started = changeBreaks(database.db, { ...approve, by: 'Chege' });
    await untilWaiting(database.url, 1);
    return { second: started };
  });
  expect(await second).toEqual({ changed: 0, refused: [{ id, reason: 'wrong_status' }] });
  expect((await breakHistory(database.db, id)).map(({ version }) => version)).toEqual([1, 2, 3]);
});

test('what is explained is resolved by itself, and open again when a person had decided before', async () => {
  const { shortCode, book } = await withBreaks([150, 151], 'payment');
  const [first, second] = await listBreaks(database.db, { shortCode });
  if (first === undefined || second === undefined) throw new Error('there are no breaks');
  for (const step of [
    { action: 'propose', by: 'Baraka', reason: 'written_off' },
    { action: 'approve', by: 'Akinyi' },
    { action: 'resolve', by: 'Akinyi' },
  ] as const) {
    await change(step, second.id);
  }
  for (const { receipt, cents, at } of book) {
    const amount = `${String(cents / 100n)}.00`;
    await recordDeposit(database.db, sampleDeposit({ receipt, shortCode, amount, paidAt: new Date(at) }));
  }
  for (let run = 0; run < 2; run += 1) {
    await reconcileDay(database.db, shortCode);
    const seen = new Map((await listBreaks(database.db, { shortCode })).map((each) => [each.id, each]));
    expect(seen.get(first.id)).toMatchObject({ status: 'RESOLVED', state: 'matched', version: 2 });
    expect(seen.get(second.id)).toMatchObject({
      status: 'OPEN',
      state: 'matched',
      why: 'explained_after_decision',
      version: 5,
    });
  }
});
