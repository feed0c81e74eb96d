import { databaseUrl, execute } from '@repo/postgres/database';
import { beforeAll, expect, test } from 'vitest';
import { createDb } from '../connection/db.ts';
import type { Handle } from '../connection/handle.ts';
import { migrate } from '../testing/database/migrate.ts';
import { watchBlocks } from '../testing/database/blocks-read.ts';
import { throughDoor, useTestDb } from '../testing/database/test-db.ts';
import { newPhone, openCustomer } from '../testing/database/wallet-fixtures.ts';
import { findWallets } from './wallets.ts';

const database = useTestDb();
const { sql } = database;

const numbersOf = async (filter: Parameters<typeof findWallets>[1]): Promise<string[]> =>
  (await findWallets(database.db, filter)).wallets.map(({ number }) => number);

const MANY_WALLETS = `
INSERT INTO core.wallets (id, holder_name, phone)
SELECT (3000000000 + i)::text, 'Otieno ' || translate(i::text, '0123456789', 'abcdefghij'), '25411' || lpad(i::text, 7, '0') FROM generate_series(1, 30000) AS i`;

let blocksReadBy: Awaited<ReturnType<typeof watchBlocks>>;

// Enough that reading all of them is not the cheapest way.
beforeAll(async () => {
  await throughDoor(sql, MANY_WALLETS);
  blocksReadBy = await watchBlocks(database, 'core.wallets');
});

test('the first digits of a number find the wallets that begin so, in order of number', async () => {
  for (const number of ['ZZ-3', 'ZZ-1', 'ZZ-2', 'ZY-1']) await openCustomer(database.db, { number });
  expect(await numbersOf({ prefix: 'ZZ' })).toEqual(['ZZ-1', 'ZZ-2', 'ZZ-3']);
  expect(await numbersOf({ prefix: 'ZZ-1' })).toEqual(['ZZ-1']);
  expect(await numbersOf({ prefix: 'zz' })).toEqual([]);
});

test.each(['%', '_', '\\', '\\%', "'", '%%'])('a "%s" in a prefix means itself', async (special) => {
  const [plain, number] = [`Q${special.length}X-1`, `Q${special}X-1`];
  await openCustomer(database.db, { number });
  if (plain !== number) await sql('SELECT core.open_wallet($1, $2, NULL)', [plain, 'Achieng']);
  expect(await numbersOf({ prefix: `Q${special}X` })).toEqual([number]);
});

test('a phone number finds all wallets of its holder, in whatever way it is written', async () => {
  const phone = newPhone();
  const numbers = [await openCustomer(database.db, { phone }), await openCustomer(database.db, { phone })];
  const local = phone.slice(3);
  for (const written of [
    phone,
    `+${phone}`,
    `0${local}`,
    `0${local.slice(0, 3)} ${local.slice(3)}`,
    `+254-${local}`,
  ]) {
    expect(await numbersOf({ phone: written })).toEqual(numbers.toSorted());
  }
});

test('both together find what has both', async () => {
  const phone = newPhone();
  await openCustomer(database.db, { phone, number: 'BOTH-1' });
  await openCustomer(database.db, { number: 'BOTH-2' });
  await openCustomer(database.db, { phone, number: 'OTHER-1' });
  expect(await numbersOf({ phone, prefix: 'BOTH' })).toEqual(['BOTH-1']);
});

test.each([
  {},
  { phone: 'x' },
  { phone: '' },
  { prefix: 'a\0' },
  { prefix: '\ud800' },
  { phone: '0712\0' },
  { prefix: '3', cursor: 'a\0' },
])('what says nothing (%j) finds nothing', async (filter) => {
  expect(await findWallets(database.db, filter)).toEqual({ wallets: [], nextCursor: null });
});

test('pages follow each other without a gap, and the last one says so', async () => {
  const pages: (readonly string[])[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const page = await findWallets(database.db, {
      prefix: '30000000',
      limit: 30,
      ...(cursor === '' ? {} : { cursor }),
    });
    pages.push(page.wallets.map(({ number }) => number));
    cursor = page.nextCursor;
  }
  const expected = Array.from({ length: 90 }, (_, index) => String(3_000_000_001 + index));
  expect(pages.map((page) => page.length)).toEqual([30, 30, 30, 9]);
  expect(pages.flat().slice(0, 90)).toEqual(expected);
});

test('system wallets are not found', async () => {
  expect(await numbersOf({ prefix: 'MPESA' })).toEqual([]);
  expect(await numbersOf({ prefix: '', limit: 100 })).not.toContain('FEES');
});

test('a search answers twenty wallets by default, and a hundred at most', async () => {
  expect(await numbersOf({ prefix: '3' })).toHaveLength(20);
  expect(await numbersOf({ prefix: '3', limit: 7 })).toHaveLength(7);
  expect(await numbersOf({ prefix: '3', limit: 0 })).toHaveLength(1);
  expect(await numbersOf({ prefix: '3', limit: 10_000 })).toHaveLength(100);
});

// Again and again, because a prepared statement may get a plan for any value after its fifth time.
test.each([
  ['prefix', (time: number) => String(3_000_020_000 + time)],
  ['phone', (time: number) => `25411${String(time).padStart(7, '0')}`],
] as const)(
  'a search by %s reads what it finds and no more, however often it is made',
  async (field, valueAt) => {
    for (let time = 1; time <= 12; time += 1) {
      const blocks = await blocksReadBy(async () =>
        expect(await numbersOf({ [field]: valueAt(time) })).toHaveLength(1),
      );
      expect(blocks).toBeLessThan(40);
    }
  },
);

test('where the language orders texts, idx_wallets_number serves the prefix, which the primary key cannot', async () => {
  const name = `${new URL(database.url).pathname.slice(1)}_en`;
  await execute(
    database.url,
    `CREATE DATABASE ${name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'`,
  );
  const url = databaseUrl(database.url, name);
  const english = createDb({ url, maxConnections: 1 });
  try {
    await migrate(url);
    await execute(url, `SELECT set_config('daftari.door', 'open', true); ${MANY_WALLETS}`);
    await execute(url, 'VACUUM ANALYZE core.wallets');
    const plans: string[] = [];
    const explaining: Handle = {
      ...english,
      async run({ name: statement, text }, values) {
        const rows = await english.run({ name: `explain_${statement}`, text: `EXPLAIN ${text}` }, values);
        plans.push(JSON.stringify(rows));
        return [];
      },
    };
    // Twelve times, for the reason above.
    for (let time = 1; time <= 12; time += 1)
      await findWallets(explaining, { prefix: String(3_000_020_000 + time) });
    expect(plans.filter((plan) => !plan.includes('idx_wallets_number'))).toEqual([]);
    expect(plans).toHaveLength(12);
  } finally {
    await english.close();
    await execute(database.url, `DROP DATABASE ${name} WITH (FORCE)`);
  }
});
