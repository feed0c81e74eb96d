import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { routeAccount } from './route-account.ts';
import { findDeposit } from './find-deposit.ts';
import type { Suggestion } from './suggestions.ts';
import { recordDeposit } from './record-deposits.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import type { DepositFacts } from '../testing/deposits/sample-deposit.ts';
import { openTestDb, useTestDb } from '../testing/database/test-db.ts';
import { transaction } from '../connection/transaction.ts';
import { newPhone, openCustomer, setStatus } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();

/** What is suggested for a payment, and what was suggested when it came. */
async function suggestedFor(facts: DepositFacts): Promise<readonly Suggestion[]> {
  const deposit = sampleDeposit({ phone: null, ...facts });
  const result = await recordDeposit(database.db, deposit);
  const view = await findDeposit(database.db, deposit.receipt);
  if (view?.outcome !== 'suspense' || result.outcome !== 'suspense') throw new Error('not in suspense');
  expect(result.suggestions).toEqual(view.suggestions.map(({ wallet }) => wallet));
  return view.suggestions;
}

const hashOf = (phone: string) => createHash('sha256').update(phone).digest('hex');

test('the wallets of an ambiguous phone are suggested, but not the closed one', async () => {
  const phone = newPhone();
  const wallets = [];
  for (let i = 0; i < 3; i += 1) wallets.push(await openCustomer(database.db, { phone }));
  const [closed = '', ...open] = wallets;
  await setStatus(database.sql, closed, 'CLOSED');
  const expected = open.toSorted();
  expect(await suggestedFor({ account: `+${phone.slice(0, 6)} ${phone.slice(6)}` })).toEqual(
    expected.map((wallet) => ({ wallet, reason: 'account_phone' })),
  );
  expect(await routeAccount(database.db, phone)).toEqual({
    status: 'ambiguous_phone',
    suggestions: expected,
  });
});

test.each([
  ['plain', (phone: string) => ({ phone }), 'payer_phone'],
  ['hashed', (phone: string) => ({ phoneHash: hashOf(phone) }), 'payer_phone_hash'],
  [
    'hashed and masked',
    (phone: string) => ({ phoneHash: `${hashOf(phone).slice(0, 34)}*****${hashOf(phone).slice(39)}` }),
    'payer_phone_hash',
  ],
])('the only wallet of a payer whose number came %s is suggested', async (_how, factsOf, reason) => {
  const phone = newPhone();
  const wallet = await openCustomer(database.db, { phone });
  const found = await suggestedFor({ account: 'nobody', ...factsOf(phone) });
  expect(found.map((each) => each.wallet)).toEqual([wallet]);
  // A hash that leads to one customer is written as their number when the payment is recorded.
  expect(['payer_phone', reason]).toContain(found[0]?.reason);
});

test('a payer with two wallets, a masked number of another name and a stranger suggest nothing', async () => {
  const phone = newPhone();
  for (let i = 0; i < 2; i += 1) await openCustomer(database.db, { phone });
  expect(await suggestedFor({ account: 'nobody', phone })).toEqual([]);
  expect(await suggestedFor({ account: 'nobody', phone: `2547 ***** ${phone.slice(-3)}` })).toEqual([]);
  expect(await suggestedFor({ account: 'nobody', phone: newPhone() })).toEqual([]);
});

/** What is suggested for a payment whose number came masked. */
async function suggestedForMask(phone: string, name: string | null): Promise<readonly Suggestion[]> {
  const deposit = sampleDeposit({ account: 'nobody', phone, name });
  await recordDeposit(database.db, deposit);
  const view = await findDeposit(database.db, deposit.receipt);
  return view?.outcome === 'suspense' ? view.suggestions : expect.fail('it is not in suspense');
}

test('a masked number suggests the wallets that it fits and whose holders share a word of the name', async () => {
  const { db } = database;
  const [wallet, both] = [
    await openCustomer(db, { phone: '254711000483', holderName: 'Wanjiku Kamau' }),
    await openCustomer(db, { phone: '254722999483', holderName: 'Kamau Wanjiku Otieno' }),
  ];
  await openCustomer(db, { phone: '254711000484', holderName: 'Wanjiku Kamau' });
  await openCustomer(db, { phone: '254111000483', holderName: 'Wanjiku Kamau' });
  await openCustomer(db, { phone: '254711111483', holderName: 'Achieng Kamaushi' });
  const closed = await openCustomer(db, { phone: '254711222483', holderName: 'Wanjiku Kamau' });
  await setStatus(database.sql, closed, 'CLOSED');
  const reason = 'payer_mask_and_name';
  const fitting = [wallet, both].toSorted().map((each) => ({ wallet: each, reason }));
  expect(await suggestedForMask('2547 ***** 483', 'WANJIKU')).toEqual(fitting);
  // The likeliest first: two words fit one, one fits the other.
  expect(await suggestedForMask('2547*****483', 'OTIENO KAMAU')).toEqual([
    { wallet: both, reason },
    { wallet, reason },
  ]);
  expect(await suggestedForMask('2547 ***** 483', null)).toEqual([]);
  expect(await suggestedForMask('2547 ***** 483', 'MUTUA W K')).toEqual([]);
  expect(await suggestedForMask('2547 ***** 482', 'WANJIKU')).toEqual([]);
  expect(await suggestedForMask('2547 ******* 83', 'WANJIKU')).toEqual([]);
});

test('it looks at the wallets that fit, and not at all that end so or are called so', async () => {
  await using own = await openTestDb();
  const others = { last: '254700%s483', called: '254700%s' };
  for (const [name, format] of Object.entries(others)) {
    await own.sql(
      `SELECT core.open_wallet(
           p_number => $2 || lpad(i::text, 9, '0'), p_phone => format($1, lpad(i::text, $2::integer, '0')), p_holder_name => $3
         ) FROM generate_series(100, 700) AS i`,
      [format, name === 'last' ? '3' : '6', name === 'last' ? 'Mutua' : 'Wanjiku'],
    );
  }
  const wallet = await openCustomer(own.db, { phone: '254711000483', holderName: 'Wanjiku Kamau' });
  await own.sql('VACUUM (ANALYZE) core.wallets');
  await transaction(own.db, async (handle) => {
    const text = `SELECT wallet FROM core.suggest_wallets('nobody', '2547 ***** 483', NULL, 'WANJIKU')`;
    expect(await handle.run({ name: 'test_suggest', text }, [])).toContainEqual({ wallet });
    const reads = `SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int AS reads
                     FROM pg_stat_xact_user_tables WHERE relname = 'wallets'`;
    const [row] = (await handle.run({ name: 'test_reads', text: reads }, [])) as { reads: number }[];
    expect(row?.reads).toBeLessThan(20);
  });
});

test('a wallet that is suggested for two reasons is suggested once, for the stronger one', async () => {
  const phone = newPhone();
  const number = await openCustomer(database.db, { phone });
  const wrong = number.slice(0, 9) + String((Number(number[9]) + 1) % 10);
  expect(await suggestedFor({ account: wrong, phone })).toEqual([{ wallet: number, reason: 'near_number' }]);
});

test('never more than five wallets are suggested', async () => {
  const phone = newPhone();
  for (let i = 0; i < 7; i += 1) await openCustomer(database.db, { phone });
  expect(await suggestedFor({ account: phone })).toHaveLength(5);
});
