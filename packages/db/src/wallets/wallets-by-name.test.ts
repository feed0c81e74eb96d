import { beforeAll, expect, test } from 'vitest';
import { useTestDb } from '../testing/database/test-db.ts';
import { openCustomer } from '../testing/database/wallet-fixtures.ts';
import { findWalletsByName } from './wallets-by-name.ts';

const database = useTestDb();
const names = new Map<string, string>();

beforeAll(async () => {
  for (const holderName of [
    'Wanjikũ Kamau',
    "Ng'ang'a Mwangi",
    'Zoë Çelik-Otieno',
    'J. M. Otieno',
    'محمد علي',
  ]) {
    names.set(await openCustomer(database.db, { holderName }), holderName);
  }
});

async function found(name: string): Promise<string[]> {
  const { wallets } = await findWalletsByName(database.db, { name });
  return wallets.map(({ number }) => names.get(number) ?? '?');
}

test.for([
  ['wanjiku kamau', ['Wanjikũ Kamau']],
  ['KAMAU wanj', ['Wanjikũ Kamau']],
  ['Wanjikũ', ['Wanjikũ Kamau']],
  ['kamaus', []],
  ['amau', []],
  ['nganga', ["Ng'ang'a Mwangi"]],
  ['Ng\u2019ang\u2019a', ["Ng'ang'a Mwangi"]],
  ['zoe celik', ['Zoë Çelik-Otieno']],
  ['celik-otieno', ['Zoë Çelik-Otieno']],
  ['محمد', ['محمد علي']],
  ['wa', []],
  ['w a', []],
  ['   ', []],
  ["'''", []],
  [`'wan':* | 'x`, []],
  ['wan\\jiku', []],
  ['wanj & kam', ['Wanjikũ Kamau']],
  ['wanj\0', []],
  ['wan\ud800', []],
  ['w'.repeat(200), []],
] as const)('%j finds %j', async ([name, expected]) => {
  expect(await found(name)).toEqual(expected);
});

test('pages follow each other in order of number', async () => {
  const opened: string[] = [];
  for (let count = 0; count < 5; count += 1)
    opened.push(await openCustomer(database.db, { holderName: 'Halima Nyota' }));
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof findWalletsByName>> = await findWalletsByName(database.db, {
      name: 'halima',
      limit: 2,
      ...(cursor === null ? {} : { cursor }),
    });
    seen.push(...page.wallets.map(({ number }) => number));
    cursor = page.nextCursor;
  } while (cursor !== null);
  expect(seen).toEqual(opened.toSorted((one, other) => (one < other ? -1 : 1)));
});

test('an index finds them, and no system wallet', async () => {
  await database.sql('SET enable_seqscan = off');
  const plan = await database.sql(
    `EXPLAIN SELECT 1 FROM core.wallets
      WHERE kind = 'CUSTOMER' AND core.name_vector(holder_name) @@ core.name_query('wanj')`,
  );
  await database.sql('RESET enable_seqscan');
  expect(JSON.stringify(plan)).toContain('wallets_name_idx');
  expect(await found('suspense')).toEqual([]);
});
