import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { auditLedger } from '../audit/audit-ledger.ts';
import { captureHold, findHold, hold, releaseHold } from './holds.ts';
import { formatCents, parseCents } from '../money.ts';
import { isDaftariError } from '../errors.ts';
import { addFeeRule, clearFeeRules } from '../testing/ledger/fees.ts';
import type { FeeRule } from '../testing/ledger/fees.ts';
import { allFaults } from '../testing/ledger/hold-faults.ts';
import { newKey } from '../testing/ledger/requests.ts';
import { useTestDb, valueOf } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';
import { lookupWallet } from '../wallets/wallets.ts';

const database = useTestDb();
const { sql } = database;

const FLOAT = 'MPESA-FLOAT';

beforeEach(() => clearFeeRules(sql));

async function place(amount: string, opening = '100.00') {
  const wallet = await openFunded(database, opening);
  const request = { wallet, amount, idempotencyKey: newKey() };
  return { wallet, request, placed: await hold(database.db, request) };
}

const capture = (holdId: string, facts: { readonly to?: string; readonly amount?: string } = {}) =>
  captureHold(database.db, { holdId, to: FLOAT, idempotencyKey: newKey(), ...facts });

test('a hold over all that its fee leaves is paid out whole, to the last cent', async () => {
  await addFeeRule(sql, { type: 'WITHDRAWAL', flat: '3.00' });
  const { wallet, placed } = await place('97.00');
  expect(placed).toMatchObject({ amount: '97.00', feeHeld: '3.00', available: '0.00' });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ balance: '100.00', held: '100.00' });
  const posted = await capture(placed.id);
  expect(posted).toMatchObject({ amount: '97.00', fee: '3.00', balanceAfter: '0.00' });
  expect(posted.hold).toMatchObject({ feeHeld: '3.00', captured: '97.00', available: '0.00' });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ balance: '0.00', held: '0.00' });
});

test('a hold whose fee does not fit is refused, says so, and is refused again', async () => {
  await addFeeRule(sql, { type: 'WITHDRAWAL', flat: '3.00' });
  const wallet = await openFunded(database, '100.00');
  const request = { wallet, amount: '97.01', idempotencyKey: newKey() };
  const told = async () => hold(database.db, request).catch((error: unknown) => error);
  const first = await told();
  expect(isDaftariError(first) && first.code).toBe('insufficient_funds');
  expect(String(first)).toContain('the fee that its capture may take');
  await clearFeeRules(sql);
  expect(String(await told())).toBe(String(first));
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ held: '0.00' });
});

test('what a part of a hold costs is taken, and the rest of both is free again', async () => {
  await addFeeRule(sql, { type: 'WITHDRAWAL', rate: '0.1' });
  const { wallet, placed } = await place('50.00');
  expect(placed).toMatchObject({ feeHeld: '5.00', available: '45.00' });
  const posted = await capture(placed.id, { amount: '20.00' });
  expect(posted).toMatchObject({ fee: '2.00', balanceAfter: '78.00', hold: { available: '78.00' } });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ balance: '78.00', held: '0.00' });
});

test('a released hold gives its fee back, and a repeat gets what was available then', async () => {
  await addFeeRule(sql, { type: 'TRANSFER', flat: '4.00' });
  const { request, placed } = await place('50.00');
  expect(await releaseHold(database.db, { holdId: placed.id })).toMatchObject({ available: '100.00' });
  expect(await hold(database.db, request)).toEqual({ ...placed, replayed: true });
  expect(await findHold(database.db, placed)).toMatchObject({ feeHeld: '4.00', available: '100.00' });
});

test.for([
  ['is raised', { flat: '9.00' }, '3.00'],
  ['is lowered', { flat: '1.00' }, '1.00'],
  ['is lifted', null, '0.00'],
  ['is to be paid by the receiver', { flat: '3.00', payer: 'RECEIVER' as const }, '3.00'],
] as const)(
  'a fee that %s after the hold costs its holder what was reserved at most',
  async ([, rule, fee]) => {
    await addFeeRule(sql, { type: 'WITHDRAWAL', flat: '3.00' });
    const { wallet, placed } = await place('97.00');
    await clearFeeRules(sql);
    if (rule !== null) await addFeeRule(sql, { type: 'WITHDRAWAL', ...rule });
    const posted = await capture(placed.id);
    expect(posted.fee).toBe(fee);
    const paid = rule !== null && 'payer' in rule ? 0n : parseCents(fee);
    expect(await balanceOf(sql, wallet)).toBe(formatCents(300n - paid));
  },
);

test('a rule that comes after the hold takes nothing from its holder', async () => {
  const { placed } = await place('100.00');
  expect(placed.feeHeld).toBe('0.00');
  await addFeeRule(sql, { type: 'WITHDRAWAL', flat: '3.00' });
  expect(await capture(placed.id)).toMatchObject({ fee: '0.00', balanceAfter: '0.00' });
});

test('a receiver pays no more than they have with what they receive', async () => {
  await addFeeRule(sql, { type: 'TRANSFER', flat: '30.00', payer: 'RECEIVER' });
  const { placed } = await place('20.00');
  expect(placed.feeHeld).toBe('0.00');
  const to = await openCustomer(database.db);
  expect(await capture(placed.id, { to })).toMatchObject({ fee: '20.00', balanceAfter: '80.00' });
  expect(await balanceOf(sql, to)).toBe('0.00');
});

test('the float, which has no floor, pays a fee of the receiver whole', async () => {
  await addFeeRule(sql, { type: 'WITHDRAWAL', flat: '30.00', payer: 'RECEIVER' });
  const { placed } = await place('20.00');
  expect(await capture(placed.id)).toMatchObject({ fee: '30.00', balanceAfter: '80.00' });
});

/** A hold as it was placed before fees were reserved. */
async function placeOld(amount: string) {
  const { wallet, placed } = await place(amount);
  await sql('SET session_replication_role = replica');
  await sql('UPDATE core.holds SET fee_held = NULL WHERE id = $1', [placed.id]);
  await sql('RESET session_replication_role');
  return { wallet, placed };
}

test.for([
  ['whole', '100.00', '0.00'],
  ['nearly whole', '98.00', '2.00'],
  ['in part', '40.00', '3.00'],
] as const)(
  'a hold from before fees were reserved, over a wallet %s, pays from what it leaves',
  async ([, amount, fee]) => {
    const { placed } = await placeOld(amount);
    await addFeeRule(sql, { type: 'WITHDRAWAL', flat: '3.00' });
    expect(await findHold(database.db, placed)).toMatchObject({ feeHeld: '0.00' });
    expect((await capture(placed.id)).fee).toBe(fee);
  },
);

test('a hold from before fees were reserved gives back its amount', async () => {
  const { wallet, placed } = await placeOld('40.00');
  await releaseHold(database.db, { holdId: placed.id });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ held: '0.00' });
});

const cents = (max: number) => fc.integer({ min: 0, max }).map((value) => formatCents(BigInt(value)));
const rules = fc.uniqueArray(
  fc.record({
    type: fc.constantFrom('TRANSFER', 'WITHDRAWAL'),
    from: cents(250),
    flat: cents(40),
    rate: fc.constantFrom('0', '0.01', '0.333333', '0.999999'),
    payer: fc.constantFrom('SENDER', 'SENDER', 'RECEIVER'),
    validFrom: fc.constantFrom(-2, -1),
  }),
  { maxLength: 6, selector: ({ type, from, validFrom }) => `${type} ${from} ${validFrom}` },
) satisfies fc.Arbitrary<FeeRule[]>;

async function replaceRules(all: readonly FeeRule[]): Promise<void> {
  await clearFeeRules(sql);
  for (const rule of all) await addFeeRule(sql, rule);
}

test('what a hold reserves is what its dearest capture costs its holder, and no more', async () => {
  await fc.assert(
    fc.asyncProperty(rules, fc.integer({ min: 1, max: 300 }), async (all, amount) => {
      await replaceRules(all);
      const dearest = await valueOf(
        sql,
        `SELECT coalesce(max(f.fee), 0)::numeric(19,2)::text
           FROM generate_series(1, $1::integer) AS part,
                unnest(ARRAY['TRANSFER', 'WITHDRAWAL']) AS type,
                core.fee_of(type, 'KES', part / 100.0, clock_timestamp() AT TIME ZONE 'UTC') AS f
          WHERE f.payer = 'SENDER'`,
        [amount],
      );
      const reserved = `SELECT core.fee_to_hold('KES', $1::integer / 100.0, clock_timestamp() AT TIME ZONE 'UTC')::text`;
      expect(parseCents(String(await valueOf(sql, reserved, [amount])))).toBe(parseCents(String(dearest)));
    }),
    { numRuns: 100 },
  );
});

test('whatever becomes of the rules, a hold is payable, in any part and to anybody', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({ all: rules, later: rules, whole: fc.integer({ min: 1, max: 300 }), less: fc.nat(299) }),
      async ({ all, later, whole, less }) => {
        await replaceRules(all);
        const wallet = await openFunded(database, '10.00');
        const request = { wallet, amount: formatCents(BigInt(whole)), idempotencyKey: newKey() };
        const placed = await hold(database.db, request);
        // All that is not held is spent.
        const rest = { ...request, amount: placed.available, idempotencyKey: newKey() };
        await clearFeeRules(sql);
        const held = await hold(database.db, rest);
        await capture(held.id);
        await replaceRules(later);
        const to = less % 2 === 0 ? FLOAT : await openCustomer(database.db);
        const amount = formatCents(BigInt(Math.max(1, whole - less)));
        const posted = await capture(placed.id, { to, amount });
        const paid =
          1_000n - parseCents(rest.amount) - parseCents(amount) - parseCents(await balanceOf(sql, wallet));
        expect(paid).toBeLessThanOrEqual(parseCents(placed.feeHeld));
        expect([0n, parseCents(posted.fee)]).toContain(paid);
      },
    ),
    { numRuns: 40 },
  );
});

test('after all of this the ledger is sound', async () => {
  await addFeeRule(sql, { type: 'WITHDRAWAL', flat: '3.00' });
  await place('40.00');
  expect(await allFaults(sql)).toEqual([]);
  const { checks } = await auditLedger(database.db);
  // The money of these wallets came in without a log of its deposit.
  expect(checks.filter(({ name, faults }) => faults > 0 && name !== 'deposits')).toEqual([]);
});
