import fc from 'fast-check';
import { expect, test } from 'vitest';
import { auditLedger } from '../audit/audit-ledger.ts';
import { createDepositIntake } from './deposit-intake.ts';
import { releaseDeposit } from './deposit-decisions.ts';
import type { DepositRelease } from './deposit-decisions.ts';
import { findDeposit } from './find-deposit.ts';
import { recordDeposit, recordDeposits } from './record-deposits.ts';
import { depositRows } from '../testing/deposits/deposit-rows.ts';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { meet, tally, useRace } from '../testing/ledger/race.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey } from '../testing/ledger/requests.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { openTestDb, throughDoor, useTestDb } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer, setStatus } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();
const race = useRace(database);

function decision(receipt: string, decided: DepositRelease['decision'] = 'release'): DepositRelease {
  const reason = 'The customer sold a farm.';
  return { receipt, decision: decided, reason, decidedBy: 'Wanjiru', idempotencyKey: newKey() };
}

/** A payment of 20,000,000.00 for a wallet, which is held; answers its receipt. */
async function payTooMuch(account: string): Promise<string> {
  const deposit = sampleDeposit({ account, amount: '20000000.00' });
  expect(await recordDeposit(database.db, deposit)).toMatchObject({ outcome: 'held' });
  return deposit.receipt;
}

test.each([
  ['10000000.00', undefined, 'credited'],
  ['10000000.01', undefined, 'held'],
  ['99999999999700000.00', undefined, 'held'],
  ['500.00', '500.00', 'credited'],
  ['500.01', '500.00', 'held'],
  ['20000000.00', '30000000.00', 'credited'],
])('a payment of %s with the limit %s is %s', async (amount, maxAmount, outcome) => {
  const deposit = sampleDeposit({ account: await openCustomer(database.db), amount });
  const options = maxAmount === undefined ? {} : { maxAmount };
  expect((await recordDeposit(database.db, deposit, options)).outcome).toBe(outcome);
  const intake = createDepositIntake(database.db, options);
  const second = sampleDeposit({ account: deposit.account, amount });
  expect((await intake.record(second)).outcome).toBe(outcome);
  await intake.close();
});

test('a held deposit is kept whole, moves nothing and sends nothing', async () => {
  const account = await openCustomer(database.db);
  const deposit = sampleDeposit({ account, amount: '20000000.00' });
  const { receipt } = deposit;
  expect(await recordDeposit(database.db, deposit)).toEqual({
    outcome: 'held',
    receipt,
    amount: '20000000.00',
  });
  expect(await depositRows(database.sql, receipt)).toMatchObject({
    transactions: [],
    sms: [],
    logs: [{ amount: '20000000.00', account, outcome: 'HELD', reason: 'above_limit', wallet_id: null }],
    callbacks: [{ outcome: 'HELD', error: 'above_limit' }],
  });
  expect(await balanceOf(database.sql, account)).toBe('0.00');
  expect(await findDeposit(database.db, receipt)).toMatchObject({ outcome: 'held', amount: '20000000.00' });
});

test('a held payment that is reported again is a duplicate, and with other facts a conflict, also in one batch', async () => {
  const account = await openCustomer(database.db);
  const receipt = newReceipt();
  const facts = [
    { amount: '20000000.00' },
    { amount: '20000000.00' },
    { amount: '5.00' },
    { amount: '20000000.00', shortCode: '600456' },
  ];
  const deposits = facts.map((each) => sampleDeposit({ receipt, account, ...each }));
  const expected = [{ outcome: 'held' }, { outcome: 'duplicate', original: 'held' }, { outcome: 'conflict' }];
  expect(await recordDeposits(database.db, deposits)).toMatchObject([...expected, { outcome: 'conflict' }]);
  const again = [];
  for (const deposit of deposits) again.push(await recordDeposit(database.db, deposit));
  expect(again.map(({ outcome }) => outcome)).toEqual(['duplicate', 'duplicate', 'conflict', 'conflict']);
  expect(await balanceOf(database.sql, account)).toBe('0.00');
});

test('a payment that was posted stays posted when a larger amount is reported', async () => {
  const account = await openCustomer(database.db);
  const receipt = newReceipt();
  const of = (amount: string) => sampleDeposit({ receipt, account, amount });
  const results = await recordDeposits(database.db, [of('5.00'), of('20000000.00'), of('5.00')]);
  expect(results.map(({ outcome }) => outcome)).toEqual(['credited', 'conflict', 'duplicate']);
  expect((await recordDeposit(database.db, of('20000000.00'))).outcome).toBe('conflict');
});

test('when two reports of one receipt meet, one above the limit and one below, one of them is a conflict', async () => {
  const account = await openCustomer(database.db);
  const receipt = newReceipt();
  const amounts = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? '20000000.00' : '5.00'));
  const outcomes: string[] = [];
  await meet(
    race,
    account,
    amounts.map((amount) => async (db) => {
      outcomes.push((await recordDeposit(db, sampleDeposit({ receipt, account, amount }))).outcome);
    }),
  );
  expect(outcomes.filter((outcome) => outcome === 'credited' || outcome === 'held')).toHaveLength(1);
  expect(outcomes.filter((outcome) => outcome === 'conflict')).toHaveLength(5);
});

test('twenty people who release one payment at once credit it once', async () => {
  const account = await openCustomer(database.db);
  const receipt = await payTooMuch(account);
  const told = await meet(
    race,
    account,
    Array.from({ length: 20 }, () => (db) => releaseDeposit(db, decision(receipt))),
  );
  expect(tally(told)).toEqual({ done: 20 });
  expect(await balanceOf(database.sql, account)).toBe('20000000.00');
  const { transactions, sms, callbacks } = await depositRows(database.sql, receipt);
  expect([transactions.length, sms.length]).toEqual([1, 1]);
  expect(callbacks.map(({ kind, outcome }) => `${String(kind)} ${String(outcome)}`)).toEqual([
    'C2B_CONFIRMATION HELD',
    'RELEASE CREDITED',
  ]);
  expect((await findDeposit(database.db, receipt))?.decisions).toMatchObject([
    { decision: 'RELEASED', decidedBy: 'Wanjiru', reason: 'The customer sold a farm.' },
  ]);
});

test('a released payment is a deposit like any other: it repeats as a duplicate, and the audit finds nothing', async () => {
  await using own = await openTestDb();
  const account = await openCustomer(own.db);
  const deposit = sampleDeposit({ account, amount: '20000000.00' });
  await recordDeposit(own.db, deposit);
  await recordDeposit(own.db, sampleDeposit({ amount: '20000000.00' }));
  expect((await auditLedger(own.db)).checks.filter(({ findings }) => findings.length > 0)).toEqual([]);
  await releaseDeposit(own.db, decision(deposit.receipt));
  expect(await recordDeposit(own.db, deposit)).toMatchObject({ outcome: 'duplicate', original: 'credited' });
  expect(await findDeposit(own.db, deposit.receipt)).toMatchObject({ outcome: 'credited', wallet: account });
  expect((await auditLedger(own.db)).checks.filter(({ findings }) => findings.length > 0)).toEqual([]);
  expect(await ledgerFaults(own.sql)).toEqual([]);
});

test('a payment is released to where its account leads now', async () => {
  const account = await openCustomer(database.db);
  const receipt = await payTooMuch(account);
  await setStatus(database.sql, account, 'FROZEN');
  await releaseDeposit(database.db, decision(receipt));
  expect(await findDeposit(database.db, receipt)).toMatchObject({
    outcome: 'suspense',
    reason: 'wallet_frozen',
  });
});

test('what is put aside is not posted, and can be released later', async () => {
  const account = await openCustomer(database.db);
  const receipt = await payTooMuch(account);
  expect(await releaseDeposit(database.db, decision(receipt, 'reject'))).toEqual({
    reference: null,
    replayed: false,
  });
  expect(await findDeposit(database.db, receipt)).toMatchObject({ outcome: 'rejected' });
  expect(await releaseDeposit(database.db, decision(receipt, 'reject'))).toMatchObject({ replayed: true });
  expect(await releaseDeposit(database.db, decision(receipt))).toEqual({
    reference: receipt,
    replayed: false,
  });
  expect(await balanceOf(database.sql, account)).toBe('20000000.00');
  expect(await refusalOf(releaseDeposit(database.db, decision(receipt, 'reject')))).toBe('already_posted');
});

test('a decision is repeated under its key, and refused under the key of another', async () => {
  const receipt = await payTooMuch(await openCustomer(database.db));
  const first = decision(receipt);
  expect(await releaseDeposit(database.db, first)).toMatchObject({ replayed: false });
  expect(await releaseDeposit(database.db, first)).toMatchObject({ replayed: true });
  expect(await refusalOf(releaseDeposit(database.db, { ...first, reason: 'Another one.' }))).toBe(
    'key_reused',
  );
  const unknown = decision(newReceipt());
  expect(await refusalOf(releaseDeposit(database.db, unknown))).toBe('unknown_transaction');
  expect(await refusalOf(releaseDeposit(database.db, unknown))).toBe('unknown_transaction');
});

test('no payment that could stop the float is ever posted', async () => {
  const account = await openCustomer(database.db);
  const deposit = sampleDeposit({ account, amount: '99999999999700000.00' });
  await recordDeposit(database.db, deposit, { maxAmount: '99999999999999999.99' });
  expect(await refusalOf(releaseDeposit(database.db, decision(deposit.receipt)))).toBe('invalid_amount');
  expect((await recordDeposit(database.db, sampleDeposit({ account }))).outcome).toBe('credited');
});

test('a receipt that was logged by hand and has no transaction can be released', async () => {
  const account = await openCustomer(database.db);
  const receipt = newReceipt();
  await throughDoor(
    database.sql,
    'INSERT INTO services.mpesa_logs (mpesa_receipt, amount, account) VALUES ($1, 75, $2)',
    [receipt, account],
  );
  const report = sampleDeposit({ receipt, account, amount: '75.00' });
  expect((await recordDeposit(database.db, report)).outcome).toBe('conflict');
  expect(await findDeposit(database.db, receipt)).toMatchObject({ outcome: 'unposted' });
  await releaseDeposit(database.db, decision(receipt));
  expect(await balanceOf(database.sql, account)).toBe('75.00');
  expect((await recordDeposit(database.db, report)).outcome).toBe('duplicate');
});

test('a batch from any caller with an invalid receipt posts the others and keeps that one as FAILED', async () => {
  await using own = await openTestDb();
  const account = await openCustomer(own.db);
  const texts = fc.oneof(
    fc.constantFrom(
      'DF-0123456789AB',
      'AS-QKJ41HARMI',
      'QKJ41HARMI\u200B',
      '\uFF31KJ41HARMI',
      'qkj41harmi',
      'QKJ4',
    ),
    fc.string({ maxLength: 60 }).filter((text) => !/^[A-Z0-9]{6,20}$/.test(text) && !text.includes('\0')),
  );
  await fc.assert(
    fc.asyncProperty(texts, async (receipt) => {
      const good = newReceipt();
      const rows = await own.sql(
        `SELECT ord, outcome, reason FROM services.record_deposits(
           ARRAY[$1, $2], ARRAY[5, 5], ARRAY['600123', '600123'], ARRAY[$3, $3], ARRAY[now(), now()]::timestamp[],
           ARRAY[NULL, NULL]::text[], ARRAY[NULL, NULL]::text[], ARRAY[NULL, NULL]::text[], ARRAY['{}', '{}'],
           ARRAY['API', 'API'], ARRAY[NULL, NULL]::text[], ARRAY[1, 1], ARRAY[2, 2], '{}'::bytea
         ) ORDER BY ord`,
        [receipt, good, account],
      );
      expect(rows).toEqual([
        { ord: 1, outcome: 'refused', reason: 'invalid_receipt' },
        { ord: 2, outcome: 'credited', reason: null },
      ]);
    }),
    { numRuns: 30 },
  );
  const failed = await own.sql(
    `SELECT DISTINCT receipt, outcome, error FROM services.mpesa_callbacks WHERE outcome <> 'CREDITED'`,
  );
  expect(failed).toEqual([{ receipt: null, outcome: 'FAILED', error: 'invalid_receipt' }]);
});
