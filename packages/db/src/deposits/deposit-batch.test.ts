import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arrayLiteral } from '../connection/array-literal.ts';
import { requireValid } from './deposit-batch.ts';
import { recordDeposit, recordDeposits } from './record-deposits.ts';
import { amounts, instants, texts } from '../testing/arbitraries.ts';
import { countRows, depositRows } from '../testing/deposits/deposit-rows.ts';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import type { DepositFacts } from '../testing/deposits/sample-deposit.ts';
import { openTestDb, useTestDb } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();

test('an array literal reads back as the texts that it was made of', async () => {
  const lists = fc.array(
    fc.oneof(texts, fc.constantFrom('', 'NULL', '\\', '"', ',', '{}', ' '), fc.constant(null)),
  );
  await fc.assert(
    fc.asyncProperty(lists, async (list) => {
      const rows = await database.sql(
        'SELECT t FROM unnest($1::text[]) WITH ORDINALITY AS u (t, ord) ORDER BY ord',
        [arrayLiteral(list)],
      );
      expect(rows.map((row) => row['t'])).toEqual(list);
    }),
  );
});

test('whatever was reported is what is kept: texts of all of Unicode, sums of the whole range, any time', async () => {
  const facts = fc.record({
    account: texts,
    shortCode: fc.stringMatching(/^[\x21-\x7e]{1,20}$/),
    amount: amounts.filter((amount) => amount !== '0.00' && amount.length < 18),
    paidAt: instants,
    name: fc.option(texts),
    source: fc.option(texts),
    phone: fc.option(texts.filter((text) => text.length <= 20)),
    body: fc.uint8Array({ maxLength: 200 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(facts, { minLength: 1, maxLength: 50 }), async (reports) => {
      const deposits = reports.map((report) => sampleDeposit({ ...report, payload: '{}' }));
      await recordDeposits(database.db, deposits);
      const kept = await Promise.all(deposits.map(({ receipt }) => depositRows(database.sql, receipt)));
      const asTold = kept.map(({ logs: [log], callbacks: [callback] }) => ({
        account: log?.['account'],
        shortCode: log?.['short_code'],
        amount: log?.['amount'],
        paidAt: log?.['paid_at'],
        name: log?.['payer_name'],
        phone: log?.['phone'],
        source: callback?.['source'],
        body: callback?.['body'],
      }));
      const expected = reports.map((report) => ({
        ...report,
        paidAt: report.paidAt.toISOString(),
        body: Buffer.from(report.body),
      }));
      expect(asTold).toEqual(expected);
    }),
    { numRuns: 10 },
  );
});

test('results are in the order of the batch, whatever became of each', async () => {
  const account = await openCustomer(database.db);
  const known = sampleDeposit({ account });
  await recordDeposit(database.db, known);
  const batch = [
    sampleDeposit({ account: 'nobody' }),
    known,
    sampleDeposit({ account }),
    sampleDeposit({ receipt: known.receipt, amount: '1.00' }),
    sampleDeposit({ account: '' }),
    sampleDeposit({ account }),
  ];
  const results = await recordDeposits(database.db, batch);
  expect(results.map(({ receipt }) => receipt)).toEqual(batch.map(({ receipt }) => receipt));
  const outcomes = results.map(({ outcome }) => outcome);
  expect(outcomes).toEqual(['suspense', 'duplicate', 'credited', 'conflict', 'suspense', 'credited']);
});

test('an empty batch has an empty answer', async () => {
  expect(await recordDeposits(database.db, [])).toEqual([]);
});

test('4,000 payments in one batch are each credited, in order, each with the balance after it', async () => {
  await using own = await openTestDb();
  const wallets = await Promise.all(Array.from({ length: 20 }, () => openCustomer(own.db)));
  const batch = Array.from({ length: 4_000 }, (_, i) =>
    sampleDeposit({ account: wallets[i % 20] ?? '', amount: '1.00' }),
  );
  const results = await recordDeposits(own.db, batch);
  expect(results.map(({ receipt }) => receipt)).toEqual(batch.map(({ receipt }) => receipt));
  const balances = results.map((result) => ('balanceAfter' in result ? result.balanceAfter : ''));
  expect(balances).toEqual(batch.map((_, i) => `${Math.floor(i / 20) + 1}.00`));
  expect(await ledgerFaults(own.sql)).toEqual([]);
});

test('the inbox of one large batch reads in the order in which the messages came', async () => {
  await using own = await openTestDb();
  const batch = Array.from({ length: 1_000 }, () => sampleDeposit());
  await recordDeposits(own.db, batch);
  const rows = await own.sql('SELECT receipt FROM services.mpesa_callbacks ORDER BY received_at, id');
  expect(rows.map((row) => row['receipt'])).toEqual(batch.map(({ receipt }) => receipt));
});

test('one deposit that the database refuses undoes its whole batch', async () => {
  const account = await openCustomer(database.db);
  const good = sampleDeposit({ account });
  const bad = sampleDeposit({ account, body: Buffer.from('no JSON') });
  await expect(recordDeposits(database.db, [good, bad])).rejects.toThrow(
    expect.objectContaining({ code: 'database_error' }),
  );
  expect(await balanceOf(database.sql, account)).toBe('0.00');
  expect(await countRows(database.sql, good.receipt)).toEqual({
    transactions: 0,
    logs: 0,
    sms: 0,
    callbacks: 0,
  });
});

test('a part of a cent is refused before the database could round it', async () => {
  const deposit = sampleDeposit({ amount: '100.005' });
  await expect(recordDeposit(database.db, deposit)).rejects.toThrow(
    expect.objectContaining({ code: 'invalid_amount' }),
  );
  expect(await countRows(database.sql, deposit.receipt)).toMatchObject({ callbacks: 0 });
});

test('"2500.000" is 2,500 shillings', async () => {
  expect(await recordDeposit(database.db, sampleDeposit({ amount: '2500.000' }))).toMatchObject({
    amount: '2500.00',
  });
});

test.for([['0'], ['0.00'], ['-5.00'], ['1e3'], ['NaN'], ['1,000.00'], [''], ['100000000000000000.00']])(
  'an amount of %j is refused',
  ([amount]) => {
    expect(() => requireValid(sampleDeposit({ amount: amount ?? '' }))).toThrow(
      expect.objectContaining({ code: 'invalid_amount' }),
    );
  },
);

const UNFIT: readonly (readonly [string, string, DepositFacts])[] = [
  ['an empty receipt', 'receipt', { receipt: '' }],
  ['a receipt with a space', 'receipt', { receipt: 'QKJ 41' }],
  ['a receipt that was not trimmed', 'receipt', { receipt: 'QKJ41HARMI\n' }],
  ['a receipt in lower case', 'receipt', { receipt: 'qkj41harmi' }],
  ['a receipt of 21 characters', 'receipt', { receipt: 'A'.repeat(21) }],
  ['a receipt of 5 characters', 'receipt', { receipt: 'QKJ41' }],
  ['a receipt with a zero-width space', 'receipt', { receipt: 'QKJ41HARMI\u200B' }],
  ['a receipt in full-width letters', 'receipt', { receipt: '\uFF31KJ41HARMI' }],
  ['a receipt with a Greek letter', 'receipt', { receipt: 'QKJ41H\u0391RMI' }],
  ['a receipt with a Cyrillic letter', 'receipt', { receipt: 'QKJ41H\u0410RMI' }],
  ['a receipt with Arabic digits', 'receipt', { receipt: 'QKJ\u0664\u0661HARMI' }],
  ['a reference of a transfer as receipt', 'receipt', { receipt: 'DF-0123456789AB' }],
  ['a reference of an assignment as receipt', 'receipt', { receipt: 'AS-QKJ41HARMI' }],
  ['a receipt with NUL', 'receipt', { receipt: 'A\0B' }],
  ['a short code with a zero-width space', 'shortCode', { shortCode: '600123\u200B' }],
  ['a short code in Arabic digits', 'shortCode', { shortCode: '\u0666\u0660\u0660' }],
  ['an empty short code', 'shortCode', { shortCode: '' }],
  ['a short code of 21 characters', 'shortCode', { shortCode: '1'.repeat(21) }],
  ['an account with NUL', 'account', { account: 'a\0' }],
  ['an account with half a character', 'account', { account: 'a\udc00' }],
  ['an account of 1,001 characters', 'account', { account: 'a'.repeat(1_001) }],
  ['an invalid time', 'paidAt', { paidAt: new Date(Number.NaN) }],
  ['a time in the year 10000', 'paidAt', { paidAt: new Date('+010000-01-01T00:00:00Z') }],
  ['a time before the year 1', 'paidAt', { paidAt: new Date('0000-12-31T00:00:00Z') }],
  ['a phone of 21 characters', 'payer.phone', { phone: '1'.repeat(21) }],
  ['a hash of 101 characters', 'payer.phoneHash', { phoneHash: 'a'.repeat(101) }],
  ['a name with NUL', 'payer.name', { name: 'A\0' }],
  ['a source of 65 characters', 'callback.source', { source: '1'.repeat(65) }],
  ['a payload with NUL', 'callback.payload', { payload: '{"a":"\0"}' }],
];

test.for(UNFIT)('%s is refused by its field', ([, field, facts]) => {
  expect(() => requireValid(sampleDeposit(facts))).toThrow(
    expect.objectContaining({ code: 'invalid_deposit', field }),
  );
});

test('a receipt of 20 characters, an account of 1,000 and a source of 64 fit', async () => {
  const receipt = newReceipt().padEnd(20, 'X');
  const facts = { receipt, account: '🦁'.repeat(500), source: '1'.repeat(64), phoneHash: 'a'.repeat(100) };
  await recordDeposit(
    database.db,
    sampleDeposit({ ...facts, phone: '1'.repeat(20), name: '🦁'.repeat(500) }),
  );
  expect(await countRows(database.sql, receipt)).toMatchObject({ transactions: 1, logs: 1, callbacks: 1 });
});
