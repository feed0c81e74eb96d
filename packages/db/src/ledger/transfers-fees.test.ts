import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { formatCents, parseCents } from '../money.ts';
import { addFeeRule, clearFeeRules } from '../testing/ledger/fees.ts';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { countPostings, sampleTransfer } from '../testing/ledger/requests.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';
import { laneOf, stripeOf } from '../lanes.ts';
import { transfer, transfers } from './transfers.ts';

const database = useTestDb();
const { sql } = database;

beforeEach(() => clearFeeRules(sql));

async function pair(opening = '1000.00'): Promise<{ from: string; to: string }> {
  return { from: await openFunded(database, opening), to: await openCustomer(database.db) };
}

test('without a rule a transfer is free', async () => {
  const posted = await transfer(database.db, sampleTransfer(await pair()));
  expect(posted).toMatchObject({ fee: '0.00', balanceAfter: '990.00' });
});

test('what a transfer is for is written on it and not on its fee', async () => {
  await addFeeRule(sql, { flat: '3.50' });
  const { reference } = await transfer(database.db, sampleTransfer({ ...(await pair()), narrative: 'kodi' }));
  const found = await sql(
    'SELECT narrative FROM core.transactions WHERE reference = ANY ($1) ORDER BY reference',
    [[reference, `${reference}-F`]],
  );
  expect(found).toEqual([{ narrative: 'kodi' }, { narrative: null }]);
});

test('a fee that nobody could pay refuses its own transfer and no other', async () => {
  await addFeeRule(sql, { from: '1000', flat: '99999999999999999.99', rate: '0.999999' });
  const { from, to } = await pair();
  const results = await transfers(database.db, [
    sampleTransfer({ from, to, amount: '99999999999999999.99' }),
    sampleTransfer({ from, to, amount: '1.00' }),
  ]);
  expect(results).toMatchObject([
    { ok: false, code: 'insufficient_funds' },
    { ok: true, fee: '0.00' },
  ]);
});

test('a flat fee is posted beside the transfer, from the sender to FEES', async () => {
  await addFeeRule(sql, { flat: '3.50' });
  const { from, to } = await pair();
  const earned = parseCents(await balanceOf(sql, 'FEES'));
  const posted = await transfer(database.db, sampleTransfer({ from, to, amount: '100.00' }));
  expect(posted).toMatchObject({ amount: '100.00', fee: '3.50', balanceAfter: '896.50' });
  const [fee] = await sql(
    `SELECT type, debit_wallet_id, credit_wallet_id, amount::text, idempotency_key
       FROM core.transactions WHERE reference = $1`,
    [`${posted.reference}-F`],
  );
  expect(fee).toEqual({
    type: 'FEE',
    debit_wallet_id: from,
    credit_wallet_id: stripeOf('FEES', laneOf(from)),
    amount: '3.50',
    idempotency_key: null,
  });
  expect(parseCents(await balanceOf(sql, 'FEES'))).toBe(earned + 350n);
  expect([await balanceOf(sql, from), await balanceOf(sql, to)]).toEqual(['896.50', '100.00']);
});

test('a fee that the receiver pays leaves the sender what they would have without it', async () => {
  await addFeeRule(sql, { flat: '3.50', payer: 'RECEIVER' });
  const { from, to } = await pair();
  const posted = await transfer(database.db, sampleTransfer({ from, to, amount: '100.00' }));
  expect(posted).toMatchObject({ amount: '100.00', fee: '3.50', balanceAfter: '900.00' });
  expect(await balanceOf(sql, to)).toBe('96.50');
});

test('a repeat shows the same fee and the same balance, whichever side paid', async () => {
  for (const payer of ['SENDER', 'RECEIVER'] as const) {
    await clearFeeRules(sql);
    await addFeeRule(sql, { flat: '1.00', rate: '0.01', payer });
    const request = sampleTransfer({ ...(await pair()), amount: '100.00' });
    const first = await transfer(database.db, request);
    expect(first.fee).toBe('2.00');
    // A rule that comes later does not change what was done.
    await clearFeeRules(sql);
    await addFeeRule(sql, { flat: '7.00' });
    expect(await transfer(database.db, request)).toEqual({ ...first, replayed: true });
  }
});

test('when only the fee does not fit, nothing moves and the key is spent', async () => {
  await addFeeRule(sql, { flat: '1.00' });
  const { from, to } = await pair('100.00');
  const request = sampleTransfer({ from, to, amount: '99.01' });
  expect(await refusalOf(transfer(database.db, request))).toBe('insufficient_funds');
  expect([await balanceOf(sql, from), await balanceOf(sql, to)]).toEqual(['100.00', '0.00']);
  expect(await countPostings(sql, [to])).toBe(0);
  await clearFeeRules(sql);
  expect(await refusalOf(transfer(database.db, request))).toBe('insufficient_funds');
  const fits = await transfer(database.db, sampleTransfer({ from, to, amount: '99.01' }));
  expect(fits.balanceAfter).toBe('0.99');
});

test('a receiver who cannot pay the fee out of old and new money gets nothing', async () => {
  await addFeeRule(sql, { flat: '20.00', payer: 'RECEIVER' });
  const { from, to } = await pair('100.00');
  expect(await refusalOf(transfer(database.db, sampleTransfer({ from, to })))).toBe('insufficient_funds');
  expect([await balanceOf(sql, from), await balanceOf(sql, to)]).toEqual(['100.00', '0.00']);
});

test('in a batch a transfer whose fee does not fit leaves no trace for those behind it', async () => {
  await addFeeRule(sql, { flat: '1.00' });
  const { from, to } = await pair('100.00');
  const refused = sampleTransfer({ from, to, amount: '88.50' });
  const results = await transfers(database.db, [
    sampleTransfer({ from, to, amount: '10.00' }),
    refused,
    refused,
    sampleTransfer({ from, to, amount: '88.00' }),
    sampleTransfer({ from: to, to: from, amount: '97.00' }),
  ]);
  expect(results).toMatchObject([
    { ok: true, balanceAfter: '89.00', fee: '1.00' },
    { ok: false, code: 'insufficient_funds' },
    { ok: false, code: 'insufficient_funds' },
    { ok: true, balanceAfter: '0.00', fee: '1.00' },
    { ok: true, balanceAfter: '0.00', fee: '1.00' },
  ]);
  const versions = await sql('SELECT id, version::integer FROM core.wallets WHERE id = ANY ($1)', [
    [from, to],
  ]);
  expect(new Map(versions.map((row) => [row['id'], row['version']]))).toEqual(
    new Map([
      // The opening deposit, two transfers with their fees, and what came back.
      [from, 6],
      [to, 4],
    ]),
  );
});

test('the rule is the one with the highest lower bound that the amount reaches', async () => {
  await addFeeRule(sql, { from: '0', flat: '0' });
  await addFeeRule(sql, { from: '100.00', flat: '5.00' });
  await addFeeRule(sql, { from: '500.00', flat: '9.00' });
  const { from, to } = await pair('5000.00');
  const feeOf = async (amount: string) =>
    (await transfer(database.db, sampleTransfer({ from, to, amount }))).fee;
  expect(await feeOf('99.99')).toBe('0.00');
  expect(await feeOf('100.00')).toBe('5.00');
  expect(await feeOf('499.99')).toBe('5.00');
  expect(await feeOf('500.00')).toBe('9.00');
});

test('a rule counts from its beginning until just before its end', async () => {
  await addFeeRule(sql, { flat: '1.00', validFrom: -48, validUntil: -1 });
  await addFeeRule(sql, { flat: '2.00', validFrom: 24 });
  const { from, to } = await pair();
  expect((await transfer(database.db, sampleTransfer({ from, to }))).fee).toBe('0.00');
  await addFeeRule(sql, { flat: '4.00', validFrom: -48, validUntil: 1 });
  expect((await transfer(database.db, sampleTransfer({ from, to }))).fee).toBe('4.00');
});

test('of two rules for the same amounts the newer one counts', async () => {
  await addFeeRule(sql, { flat: '1.00', validFrom: -1 });
  await addFeeRule(sql, { flat: '2.00', validFrom: -2 });
  expect((await transfer(database.db, sampleTransfer(await pair()))).fee).toBe('1.00');
});

test('a rule for withdrawals costs a transfer nothing', async () => {
  await addFeeRule(sql, { type: 'WITHDRAWAL', flat: '1.00' });
  expect((await transfer(database.db, sampleTransfer(await pair()))).fee).toBe('0.00');
});

test('a fee is its flat part and its rate of the amount, rounded half up to the cent', async () => {
  const { from, to } = await pair('99999999999.00');
  const cases = fc.record({
    cents: fc.bigInt({ min: 1n, max: 1_000_000n }),
    flat: fc.bigInt({ min: 0n, max: 5_000n }),
    // Millionths: the column has six decimals.
    rate: fc.bigInt({ min: 0n, max: 999_999n }),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ cents, flat, rate }) => {
      await clearFeeRules(sql);
      const text = `0.${rate.toString().padStart(6, '0')}`;
      await addFeeRule(sql, { flat: formatCents(flat), rate: text });
      const expected = (flat * 1_000_000n + cents * rate + 500_000n) / 1_000_000n;
      const { fee } = await transfer(database.db, sampleTransfer({ from, to, amount: formatCents(cents) }));
      expect(fee).toBe(formatCents(expected));
    }),
    {
      numRuns: 60,
      examples: [[{ cents: 50n, flat: 0n, rate: 10_000n }], [{ cents: 49n, flat: 0n, rate: 10_000n }]],
    },
  );
});

test('after all of this the ledger is sound', async () => {
  expect(await ledgerFaults(sql)).toEqual([]);
});
