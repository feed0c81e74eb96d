import fc from 'fast-check';
import { expect, test } from 'vitest';
import { routeAccount } from './route-account.ts';
import { recordDeposit } from './record-deposits.ts';
import { hasCheckDigit, newWalletNumber } from '../wallets/wallet-number.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { newPhone, openCustomer, setGuarded, setStatus } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();

/** Where a deposit with this account goes: the wallet, or the reason why it waits in suspense. */
async function destination(account: string): Promise<string> {
  const result = await recordDeposit(database.db, sampleDeposit({ account }));
  return result.outcome === 'suspense' ? result.reason : 'wallet' in result ? result.wallet : result.outcome;
}

test('the number exactly as it is leads to its wallet', async () => {
  const number = await openCustomer(database.db);
  expect(await destination(number)).toBe(number);
});

test.for([
  ['spaces around it', (n: string) => `  ${n} `],
  ['spaces in it', (n: string) => `${n.slice(0, 3)} ${n.slice(3, 6)} ${n.slice(6)}`],
  ['hyphens', (n: string) => `${n.slice(0, 5)}-${n.slice(5)}`],
  ['non-breaking spaces', (n: string) => `${n.slice(0, 5)}\u00a0${n.slice(5)}`],
  ['a tab and a line break', (n: string) => `\t${n}\r\n`],
] as const)('a number with %s leads to its wallet', async ([, write]) => {
  const number = await openCustomer(database.db);
  expect(await destination(write(number))).toBe(number);
});

test.for([
  ['2547', (p: string) => p],
  ['+2547', (p: string) => `+${p}`],
  ['002547', (p: string) => `00${p}`],
  ['07', (p: string) => `0${p.slice(3)}`],
  ['7', (p: string) => p.slice(3)],
  ['07 with spaces and hyphens', (p: string) => `0${p.slice(3, 6)} ${p.slice(6, 9)}-${p.slice(9)}`],
] as const)("the customer's own phone beginning with %s leads to the wallet", async ([, write]) => {
  const phone = newPhone();
  const number = await openCustomer(database.db, { phone });
  expect(await destination(write(phone))).toBe(number);
});

test('a phone that two wallets have leads to neither', async () => {
  const phone = newPhone();
  await openCustomer(database.db, { phone });
  await openCustomer(database.db, { phone });
  expect(await destination(phone)).toBe('ambiguous_phone');
});

test('a phone that nobody has is an unknown account', async () => {
  expect(await destination('0799999999')).toBe('unknown_account');
});

test('a number wins over a phone that looks the same', async () => {
  const phone = newPhone();
  await openCustomer(database.db, { phone });
  const number = await openCustomer(database.db, { number: phone });
  expect(await destination(phone)).toBe(number);
});

test('a number with a hyphen of its own is found as it is, before hyphens are dropped', async () => {
  await openCustomer(database.db, { number: 'A-1' });
  await openCustomer(database.db, { number: 'A1' });
  expect(await destination('A-1')).toBe('A-1');
});

test('numbers with letters are told apart by case', async () => {
  await openCustomer(database.db, { number: 'o7FUCDTp' });
  expect([await destination('o7FUCDTp'), await destination('O7FUCDTP')]).toEqual([
    'o7FUCDTp',
    'unknown_account',
  ]);
});

test.for([['MPESA-FLOAT'], ['SUSPENSE'], ['FEES'], [' SUSPENSE '], ['mpesa-float'], ['MPESAFLOAT']])(
  'a payment to the account %s reaches nobody of that name',
  async ([account]) => {
    expect(await destination(account ?? '')).toBe('unknown_account');
  },
);

test.for([
  ['nothing', ''],
  ['spaces', '   '],
  ['hyphens', '--'],
  ['a non-breaking space', '\u00a0'],
] as const)('%s for an account is no account', async ([, account]) => {
  expect(await destination(account)).toBe('no_account');
});

test.for([
  ["a quote's trick", `x' OR 'a'='a`],
  ['a wildcard', '%'],
  ['a backslash', '\\'],
  ['braces and commas', '{a,"b",NULL}'],
  ['the word NULL', 'NULL'],
  ['an emoji', '🦁'],
  ['1,000 characters', 'a'.repeat(1_000)],
] as const)('%s is just an unknown account', async ([, account]) => {
  expect(await destination(account)).toBe('unknown_account');
});

test('one wrong digit is noticed, and the number that was meant is suggested', async () => {
  const number = await openCustomer(database.db);
  const wrong = number.slice(0, 4) + String((Number(number[4]) + 1) % 10) + number.slice(5);
  const result = await recordDeposit(database.db, sampleDeposit({ account: wrong, phone: null }));
  expect(result).toMatchObject({ outcome: 'suspense', reason: 'wrong_check_digit', suggestions: [number] });
});

test('every slip of one digit or one swap goes to suspense with the right suggestion', async () => {
  const number = await openCustomer(database.db);
  const slips = fc.oneof(
    fc.record({ place: fc.nat(9), shift: fc.integer({ min: 1, max: 9 }) }).map(({ place, shift }) => {
      const digit = String((Number(number[place]) + shift) % 10);
      return number.slice(0, place) + digit + number.slice(place + 1);
    }),
    fc.nat(8).map((place) => {
      const [left = '', right = ''] = number.slice(place, place + 2);
      return number.slice(0, place) + right + left + number.slice(place + 2);
    }),
  );
  await fc.assert(
    fc.asyncProperty(slips, async (typed) => {
      fc.pre(typed !== number);
      const route = await routeAccount(database.db, typed);
      expect(route.status).toBe(typed.startsWith('0') ? 'unknown_account' : 'wrong_check_digit');
      expect('suggestions' in route ? route.suggestions : []).toContain(number);
    }),
  );
});

test('suggestions survive spaces in what was typed', async () => {
  const number = await openCustomer(database.db);
  const wrong = number.slice(0, 9) + String((Number(number[9]) + 5) % 10);
  const result = await recordDeposit(
    database.db,
    sampleDeposit({ account: ` ${wrong.slice(0, 5)} ${wrong.slice(5)}`, phone: null }),
  );
  expect(result).toMatchObject({ suggestions: [number] });
});

test('ten digits with a right check digit that nobody has are an unknown account', async () => {
  expect(await destination(newWalletNumber())).toBe('unknown_account');
});

test('at most five numbers are suggested, in order', async () => {
  // Numbers with wrong check digits, as old wallets may have, all one digit away from 5000000000.
  const near = ['5000000001', '5000000002', '5000000003', '5000000010', '5000000020', '5000000030'];
  for (const number of near) await openCustomer(database.db, { number });
  expect(hasCheckDigit('5000000000')).toBe(false);
  const route = await routeAccount(database.db, '5000000000');
  expect(route).toEqual({ status: 'wrong_check_digit', suggestions: near.slice(0, 5) });
});

test('an old number with a wrong check digit is a number all the same', async () => {
  await openCustomer(database.db, { number: '6000000001' });
  expect(hasCheckDigit('6000000001')).toBe(false);
  expect(await destination('6000000001')).toBe('6000000001');
});

test('asking for the route gives the same answer as paying, and moves nothing', async () => {
  const [active, frozen, closed, foreign] = await Promise.all(
    [1, 2, 3, 4].map(() => openCustomer(database.db)),
  );
  await setStatus(database.sql, frozen ?? '', 'FROZEN');
  await setStatus(database.sql, closed ?? '', 'CLOSED');
  await setGuarded(database.sql, foreign ?? '', { currency: 'UGX' });
  const accounts = [active, frozen, closed, foreign, 'nobody', '', 'SUSPENSE'].map(
    (account) => account ?? '',
  );
  const routes = await Promise.all(accounts.map((account) => routeAccount(database.db, account)));
  const statuses = routes.map((route) => (route.status === 'known' ? route.wallet : route.status));
  const paid = [];
  for (const account of accounts) paid.push(await destination(account));
  expect(statuses).toEqual(paid);
  expect(paid.slice(1, 4)).toEqual(['wallet_frozen', 'wallet_closed', 'currency_mismatch']);
});

test('a route can be asked for whatever came over the wire', async () => {
  const route = await routeAccount(database.db, 'x\0y\ud800');
  expect(route).toEqual({ status: 'unknown_account', suggestions: [] });
});
