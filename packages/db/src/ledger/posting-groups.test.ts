import { expect, test } from 'vitest';
import { post } from '../testing/database/post.ts';
import type { Posting } from '../testing/database/post.ts';
import { newReceipt } from '../testing/deposits/sample-deposit.ts';
import { useTestDb, valueOf } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();
const { sql } = database;

/** Three legs out of a wallet with 100.00 in it, one posting with a key. */
async function threeLegs(): Promise<{ from: string; legs: Posting[] }> {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const name = newReceipt();
  const leg = (i: number): Posting => ({ reference: `${name}-${i}`, from, to, amount: '10.00', group: 1 });
  return { from, legs: [{ ...leg(1), key: name, digest: 'digest' }, leg(2), leg(3)] };
}

const outcomes = async (legs: readonly Posting[]) => (await post(sql, legs)).map(({ outcome }) => outcome);

test.for([
  ['first', 0, ['exists', 'skipped', 'skipped']],
  ['second', 1, ['skipped', 'exists', 'skipped']],
  ['third', 2, ['skipped', 'skipped', 'exists']],
] as const)('a group whose %s leg exists creates none of its others', async ([, place, told]) => {
  const { from, legs } = await threeLegs();
  await post(sql, [{ ...(legs[place] as Posting), group: null, key: null, digest: null }]);
  expect(await outcomes(legs)).toEqual(told);
  expect(await balanceOf(sql, from)).toBe('90.00');
});

test('the key of a group that met something else is free, and that of a refused one is spent', async () => {
  const count = (key: string) =>
    valueOf(sql, 'SELECT count(*)::integer FROM core.requests WHERE idempotency_key = $1', [key]);
  const { legs } = await threeLegs();
  const [first, second, third] = legs as [Posting, Posting, Posting];
  await post(sql, [{ ...second, group: null }]);
  await outcomes(legs);
  expect(await count(first.key ?? '')).toBe(0);
  const dear = { ...third, amount: '500.00' };
  expect(await outcomes([first, dear])).toEqual(['refused', 'refused']);
  expect(await count(first.key ?? '')).toBe(1);
});

test('a group that names a reference twice is never created', async () => {
  const { from, legs } = await threeLegs();
  const [first] = legs as [Posting];
  const twice = { ...first, key: null, digest: null };
  expect(await outcomes([first, twice])).toEqual(['skipped', 'exists']);
  expect(await balanceOf(sql, from)).toBe('100.00');
  expect(await outcomes([twice])).toEqual(['created']);
});

test('what is behind a group in its batch finds the money that the group did not move', async () => {
  const { from, legs } = await threeLegs();
  const [first, second] = legs as [Posting, Posting];
  await post(sql, [{ ...second, group: null }]);
  const all = { ...first, reference: newReceipt(), key: null, digest: null, amount: '90.00', group: null };
  expect(await outcomes([{ ...first, amount: '50.00' }, second, all])).toEqual([
    'skipped',
    'exists',
    'created',
  ]);
  expect(await balanceOf(sql, from)).toBe('0.00');
});
