import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { routeAccount } from './route-account.ts';
import { findDeposit } from './find-deposit.ts';
import type { Suggestion } from './suggestions.ts';
import { recordDeposit } from './record-deposits.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import type { DepositFacts } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';
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

test('a payer with two wallets, a masked number and a stranger suggest nothing', async () => {
  const phone = newPhone();
  for (let i = 0; i < 2; i += 1) await openCustomer(database.db, { phone });
  expect(await suggestedFor({ account: 'nobody', phone })).toEqual([]);
  expect(await suggestedFor({ account: 'nobody', phone: `2547 ***** ${phone.slice(-3)}` })).toEqual([]);
  expect(await suggestedFor({ account: 'nobody', phone: newPhone() })).toEqual([]);
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
