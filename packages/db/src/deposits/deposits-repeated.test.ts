import { expect, test } from 'vitest';
import type { Deposit, DepositResult } from './deposit.ts';
import { createDb } from '../connection/db.ts';
import { recordDeposit, recordDeposits } from './record-deposits.ts';
import { countRows, depositRows } from '../testing/deposits/deposit-rows.ts';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { post } from '../testing/database/post.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { openTestDb, useTestDb } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer, setStatus } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();

const outcomes = (results: readonly DepositResult[]) => results.map(({ outcome }) => outcome).toSorted();
const repeat = (deposit: Deposit, times: number) => Array.from({ length: times }, () => deposit);

test('a payment that is reported again is a duplicate, and its answer the original one', async () => {
  const account = await openCustomer(database.db);
  const deposit = sampleDeposit({ account });
  const first = await recordDeposit(database.db, deposit);
  const second = await recordDeposit(database.db, deposit);
  expect(second).toEqual({ ...first, outcome: 'duplicate', original: 'credited' });
});

test('the original answer stays what it was when more money has come since', async () => {
  const account = await openCustomer(database.db);
  const deposit = sampleDeposit({ account, amount: '10.00' });
  await recordDeposit(database.db, deposit);
  await recordDeposit(database.db, sampleDeposit({ account, amount: '5.00' }));
  const again = await recordDeposit(database.db, deposit);
  expect(again).toMatchObject({ outcome: 'duplicate', balanceAfter: '10.00' });
});

test('a duplicate moves nothing and writes nothing but its inbox row', async () => {
  const account = await openCustomer(database.db);
  const deposit = sampleDeposit({ account, amount: '10.00' });
  await recordDeposit(database.db, deposit);
  await recordDeposit(database.db, deposit);
  const expected = { transactions: 1, logs: 1, sms: 1, callbacks: 2 };
  expect(await countRows(database.sql, deposit.receipt)).toEqual(expected);
  expect(await balanceOf(database.sql, account)).toBe('10.00');
});

test('the repeated message is in the inbox with its own bytes', async () => {
  const deposit = sampleDeposit({ body: Buffer.from('{"first":1}') });
  await recordDeposit(database.db, deposit);
  const body = Buffer.from('not JSON at all');
  await recordDeposit(database.db, sampleDeposit({ receipt: deposit.receipt, body }));
  const { callbacks } = await depositRows(database.sql, deposit.receipt);
  expect(callbacks.map((row) => [row['outcome'], row['error'], String(row['body'])])).toEqual([
    ['SUSPENSE', 'no_account', '{"first":1}'],
    ['DUPLICATE', null, 'not JSON at all'],
  ]);
});

test('a duplicate of what went to suspense says so', async () => {
  const deposit = sampleDeposit({ account: 'nobody' });
  await recordDeposit(database.db, deposit);
  expect(await recordDeposit(database.db, deposit)).toMatchObject({
    outcome: 'duplicate',
    original: 'suspense',
    wallet: 'SUSPENSE',
  });
});

test('money in suspense stays there when the message comes again after the wallet has opened', async () => {
  const deposit = sampleDeposit({ account: 'LATE-1' });
  await recordDeposit(database.db, deposit);
  await openCustomer(database.db, { number: 'LATE-1' });
  const again = await recordDeposit(database.db, deposit);
  expect(again).toMatchObject({ outcome: 'duplicate', original: 'suspense' });
  expect(await balanceOf(database.sql, 'LATE-1')).toBe('0.00');
});

test('credited money stays credited when the message comes again after the wallet was closed', async () => {
  const account = await openCustomer(database.db);
  const deposit = sampleDeposit({ account });
  await recordDeposit(database.db, deposit);
  await setStatus(database.sql, account, 'CLOSED');
  const again = await recordDeposit(database.db, deposit);
  expect(again).toMatchObject({ outcome: 'duplicate', original: 'credited', wallet: account });
});

test('the same sum written in another way is the same fact', async () => {
  const { receipt } = sampleDeposit();
  await recordDeposit(database.db, sampleDeposit({ receipt, amount: '2500.00' }));
  const again = await recordDeposit(database.db, sampleDeposit({ receipt, amount: '2500.000' }));
  expect(again.outcome).toBe('duplicate');
});

test.for([
  ['account', { account: 'other' }],
  ['payer', { phone: '254700999999', name: 'Somebody Else' }],
  ['time', { paidAt: new Date('2020-01-01T00:00:00Z') }],
  ['route', { kind: 'API' }],
] as const)('another %s under the same receipt does not make it another payment', async ([, facts]) => {
  const deposit = sampleDeposit();
  await recordDeposit(database.db, deposit);
  const again = await recordDeposit(database.db, sampleDeposit({ receipt: deposit.receipt, ...facts }));
  expect(again.outcome).toBe('duplicate');
});

test.for([
  ['amount', { amount: '150.01' }],
  ['short code', { shortCode: '600124' }],
] as const)('another %s under the same receipt is a conflict', async ([, facts]) => {
  const account = await openCustomer(database.db);
  const deposit = sampleDeposit({ account, amount: '150.00', shortCode: '600123' });
  const { receipt } = deposit;
  await recordDeposit(database.db, deposit);
  expect(await recordDeposit(database.db, sampleDeposit({ receipt, account, ...facts }))).toEqual({
    outcome: 'conflict',
    receipt,
    recorded: { amount: '150.00', shortCode: '600123' },
  });
  expect(await balanceOf(database.sql, account)).toBe('150.00');
  expect(await countRows(database.sql, receipt)).toEqual({ transactions: 1, logs: 1, sms: 1, callbacks: 2 });
});

test('a conflicting message is in the inbox as CONFLICT', async () => {
  const deposit = sampleDeposit({ amount: '1.00' });
  await recordDeposit(database.db, deposit);
  await recordDeposit(database.db, sampleDeposit({ receipt: deposit.receipt, amount: '1000000.00' }));
  const { callbacks } = await depositRows(database.sql, deposit.receipt);
  expect(callbacks.map((row) => row['outcome'])).toEqual(['SUSPENSE', 'CONFLICT']);
});

test('within one batch the first report of a receipt counts, whatever follows', async () => {
  const account = await openCustomer(database.db);
  const first = sampleDeposit({ account, amount: '10.00' });
  const { receipt } = first;
  const batch = [first, first, sampleDeposit({ receipt, account, amount: '20.00' }), first];
  const results = await recordDeposits(database.db, batch);
  expect(results.map(({ outcome }) => outcome)).toEqual(['credited', 'duplicate', 'conflict', 'duplicate']);
  expect(await balanceOf(database.sql, account)).toBe('10.00');
});

test('the duplicate within a batch has the same answer as the first', async () => {
  const deposit = sampleDeposit({ account: await openCustomer(database.db) });
  const [first, second] = await recordDeposits(database.db, [deposit, deposit]);
  expect(second).toEqual({ ...first, outcome: 'duplicate', original: 'credited' });
});

test('a receipt that is already the reference of something else is a conflict', async () => {
  const [from, to] = [await openCustomer(database.db), await openCustomer(database.db)];
  await recordDeposit(database.db, sampleDeposit({ account: from, amount: '50.00' }));
  const receipt = newReceipt();
  await post(database.sql, [{ reference: receipt, from, to, amount: '50.00' }]);
  const result = await recordDeposit(database.db, sampleDeposit({ receipt, amount: '50.00' }));
  expect(result).toEqual({ outcome: 'conflict', receipt, recorded: { amount: '50.00', shortCode: '' } });
});

test('a deposit from before there were log rows is known by its amount', async () => {
  const to = await openCustomer(database.db);
  const receipt = newReceipt();
  await post(database.sql, [
    { reference: receipt, from: 'MPESA-FLOAT', to, amount: '50.00', type: 'DEPOSIT' },
  ]);
  const same = await recordDeposit(database.db, sampleDeposit({ receipt, amount: '50.00' }));
  const other = await recordDeposit(database.db, sampleDeposit({ receipt, amount: '51.00' }));
  expect([same, other]).toMatchObject([
    { outcome: 'duplicate', original: 'credited', wallet: to },
    { outcome: 'conflict', recorded: { amount: '50.00' } },
  ]);
});

test('fifty reports of one payment at once, over two pools: one credit, fifty answers, fifty inbox rows', async () => {
  await using own = await openTestDb();
  const other = createDb({ url: own.url });
  const account = await openCustomer(own.db);
  const deposit = sampleDeposit({ account, amount: '10.00' });
  const reports = repeat(deposit, 50).map((item, i) => recordDeposit(i % 2 === 0 ? own.db : other, item));
  const results = await Promise.all(reports);
  await other.close();
  expect(outcomes(results)).toEqual(['credited', ...Array<string>(49).fill('duplicate')]);
  expect(await countRows(own.sql, deposit.receipt)).toEqual({
    transactions: 1,
    logs: 1,
    sms: 1,
    callbacks: 50,
  });
  expect(await balanceOf(own.sql, account)).toBe('10.00');
  expect(await ledgerFaults(own.sql)).toEqual([]);
});

test('when half of the reports name another amount, one of the two sums is credited and the rest conflicts', async () => {
  await using own = await openTestDb();
  const account = await openCustomer(own.db);
  const { receipt } = sampleDeposit();
  const reports = Array.from({ length: 40 }, (_, i) =>
    recordDeposit(own.db, sampleDeposit({ receipt, account, amount: i % 2 === 0 ? '10.00' : '20.00' })),
  );
  const results = await Promise.all(reports);
  const expected = [
    ...Array<string>(20).fill('conflict'),
    'credited',
    ...Array<string>(19).fill('duplicate'),
  ];
  expect(outcomes(results)).toEqual(expected);
  const credited = results.find(({ outcome }) => outcome === 'credited');
  expect(await balanceOf(own.sql, account)).toBe(credited && 'amount' in credited ? credited.amount : '');
  expect(await ledgerFaults(own.sql)).toEqual([]);
});
