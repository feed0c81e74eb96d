import { expect, test } from 'vitest';
import type { Handle } from '../connection/handle.ts';
import { recordDeposit, recordDeposits } from './record-deposits.ts';
import { reverseTransaction } from '../ledger/reversals.ts';
import { assignSuspense } from '../ledger/assign-suspense.ts';
import { listSuspense } from './suspense-list.ts';
import type { SuspenseRequest } from './suspense-list.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey } from '../testing/ledger/requests.ts';
import { payIntoSuspense } from '../testing/ledger/suspense.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { openTestDb } from '../testing/database/test-db.ts';
import { openCustomer } from '../testing/database/wallet-fixtures.ts';

/** All pages one after the other. */
async function allPages(db: Handle, request: SuspenseRequest = {}): Promise<string[]> {
  const receipts: string[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await listSuspense(db, { ...request, ...(cursor !== undefined && { cursor }) });
    receipts.push(...page.payments.map(({ receipt }) => receipt));
    if (page.nextCursor === null) return receipts;
    cursor = page.nextCursor;
  }
}

test('a payment waits with what its payer typed, why it waits and whom it may have been meant for', async () => {
  await using database = await openTestDb();
  const { db } = database;
  const number = await openCustomer(db);
  const mistyped = `${number.slice(0, -1)}${(Number(number.at(-1)) + 1) % 10}`;
  const deposit = sampleDeposit({ account: mistyped, amount: '75.50', phone: null });
  const recorded = await recordDeposit(db, deposit);
  if (recorded.outcome !== 'suspense') throw new Error('The payment was to wait.');
  await recordDeposit(db, sampleDeposit({ account: number }));
  const { payments, nextCursor } = await listSuspense(db);
  expect(nextCursor).toBeNull();
  expect(payments).toEqual([
    {
      receipt: deposit.receipt,
      amount: '75.50',
      remaining: '75.50',
      currency: 'KES',
      paidAt: deposit.paidAt,
      createdAt: recorded.createdAt,
      account: mistyped,
      phone: null,
      payerName: 'Atieno',
      reason: recorded.reason,
      suggestions: [{ wallet: number, reason: 'near_number' }],
      assignment: null,
      refund: null,
    },
  ]);
});

test('only what waits is listed unless all is asked for, and a reversed assignment waits again in its place', async () => {
  await using database = await openTestDb();
  const { db } = database;
  const wallet = await openCustomer(db);
  const receipts: string[] = [];
  for (let i = 0; i < 5; i += 1) receipts.push(await payIntoSuspense(db));
  const latestFirst = receipts.toReversed();
  const [first = '', second = '', third = '', fourth = ''] = receipts;
  expect(await allPages(db)).toEqual(latestFirst);

  const { reference } = await assignSuspense(db, { receipt: second, wallet });
  await reverseTransaction(db, { reference: third, idempotencyKey: newKey() });
  await reverseTransaction(db, { reference: fourth, amount: '50.00', idempotencyKey: newKey() });
  const waiting = latestFirst.filter((receipt) => receipt !== second && receipt !== third);
  expect(await allPages(db)).toEqual(waiting);
  const { payments } = await listSuspense(db, { all: true });
  expect(payments.map(({ receipt }) => receipt)).toEqual(latestFirst);
  const of = (receipt: string) => payments.find((payment) => payment.receipt === receipt);
  expect(of(first)).toMatchObject({ assignment: null, remaining: '150.00' });
  expect(of(second)).toMatchObject({ assignment: { reference, wallet }, remaining: '150.00' });
  expect(of(third)).toMatchObject({ assignment: null, remaining: '0.00' });
  expect(of(fourth)).toMatchObject({ assignment: null, remaining: '100.00' });

  await reverseTransaction(db, { reference, idempotencyKey: newKey() });
  expect(await allPages(db)).toEqual(latestFirst.filter((receipt) => receipt !== third));
});

test('pages hold every payment once, also when others arrive and are assigned in between', async () => {
  await using database = await openTestDb();
  const { db } = database;
  const wallet = await openCustomer(db);
  const receipts: string[] = [];
  for (let i = 0; i < 7; i += 1) receipts.push(await payIntoSuspense(db));
  const first = await listSuspense(db, { limit: 3 });
  expect(first.payments).toHaveLength(3);
  await payIntoSuspense(db);
  await assignSuspense(db, { receipt: receipts[6] ?? '', wallet });
  const rest = await allPages(db, { limit: 3, cursor: first.nextCursor ?? '' });
  expect([...first.payments.map(({ receipt }) => receipt), ...rest]).toEqual(receipts.toReversed());
  expect(await allPages(db, { limit: 1 })).toHaveLength(7);
});

test.each([
  '',
  '-1',
  'x',
  '1e3',
  '102',
  '1-2-3',
  `9${'0'.repeat(14)}-1-${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}`,
])('the cursor "%s" is invalid', async (cursor) => {
  await using database = await openTestDb();
  expect(await refusalOf(listSuspense(database.db, { cursor }))).toBe('invalid_request');
});

test('a page walks along the index of what came into suspense, past nothing else', async () => {
  await using database = await openTestDb();
  const { db, sql } = database;
  const wallet = await openCustomer(db);
  const deposits = (account: string, count: number) =>
    recordDeposits(
      db,
      Array.from({ length: count }, () => sampleDeposit({ account })),
    );
  await deposits('', 100);
  for (let batch = 0; batch < 5; batch += 1) await deposits(wallet, 1_000);
  await sql('VACUUM (ANALYZE)');
  const plans: string[] = [];
  const explaining: Handle = {
    ...db,
    run: async (statement, values) => {
      const text = `EXPLAIN ${statement.text}`;
      const rows = await db.run({ name: `explain_${statement.name}`, text }, values);
      plans.push(JSON.stringify(rows));
      return db.run(statement, values);
    },
  };
  expect((await listSuspense(explaining, { limit: 100 })).payments).toHaveLength(100);
  // The third reads the marks of the page's receipts.
  expect(plans).toHaveLength(3);
  for (const plan of plans.filter((each) => !each.includes('mpesa_decisions'))) {
    expect(plan).toContain('transactions_suspense_idx');
    expect(plan).not.toContain('Seq Scan');
  }
});

test('a page looks no further than it may, and gives the cursor of the next one', async () => {
  await using database = await openTestDb();
  const { db, sql } = database;
  const oldest = await payIntoSuspense(db);
  for (let batch = 0; batch < 3; batch += 1) {
    const deposits = Array.from({ length: 700 }, () => sampleDeposit({ account: '' }));
    await recordDeposits(db, deposits);
  }
  await sql(SEND_BACK, [oldest]);
  const first = await listSuspense(db);
  // Of 2,101 payments only the latest 2,000 were looked at, and none of them waits.
  expect(first).toEqual({ payments: [], nextCursor: expect.any(String) });
  expect(await allPages(db)).toEqual([oldest]);
});

/** Everything in suspense but one payment. */
const SEND_BACK = `
SELECT core.post_transactions(
    array_agg('DF-' || t.reference), array_agg('REVERSAL'::text), array_agg(t.credit_wallet_id::text),
    array_agg(t.debit_wallet_id::text), array_agg(NULL::text), array_agg(t.amount), array_agg('KES'::text),
    array_agg(NULL::text), array_agg(NULL::text), array_agg(t.id)
) FROM core.transactions t WHERE core.account_of(t.credit_wallet_id) = 'SUSPENSE' AND t.reference <> $1`;
