import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isHolderName } from './holder-name.ts';
import { texts } from '../testing/arbitraries.ts';
import { throughDoor, useTestDb } from '../testing/database/test-db.ts';

const database = useTestDb();

async function judgeInSql(names: readonly string[]): Promise<unknown[]> {
  const rows = await database.sql(
    'SELECT core.is_holder_name(n) AS fit FROM unnest($1::text[]) WITH ORDINALITY AS t (n, ord) ORDER BY ord',
    [names],
  );
  return rows.map(({ fit }) => fit);
}

const NAMES = [
  'Wanjiku Kamau',
  "Ng'ang'a Mwangi",
  'Ng’ang’a Mwangi',
  'O’Brien-Otieno',
  'J. M. Otieno',
  'J.M. Otieno',
  'J.-P. Sartre',
  'St. John Mwangi',
  'Otieno Jr.',
  'Wanjĩkũ wa Mũgo',
  'Wanji\u0302ku',
  'Zoë Çelik',
  'Đặng Thị Hạnh',
  'K. E. S. Otieno',
  'Kim Pesa',
  'Kesi Wilkes',
  'Win Otieno',
  'محمد علي',
  'ሰላም አበበ',
  '李小龍',
  'Иван Петров',
  'पूजा शर्मा',
  'X',
  'a'.repeat(120),
];

const NOT_NAMES = [
  '',
  ' ',
  ' Otieno',
  '-',
  '.',
  "'",
  '\u0301Otieno',
  'WIN bit.ly/Z9x 0700111222',
  'Win bit.ly',
  'Win t.co',
  'Win bit.\u0436ly',
  'Win bit.\u0301ly',
  'Otieno 2',
  'Otieno \u0662',
  'Otieno \u00BD',
  'Otieno \u2167',
  'Otieno \uFF11',
  'a@b',
  'Otieno!',
  'Otieno\nKamau',
  'Otieno\tKamau',
  'Otieno\u00A0Kamau',
  'Otieno\u200BKamau',
  'Otieno\u202EKamau',
  'Otieno\u2066Kamau',
  'Otieno\u034FKamau',
  'Otieno\u3164',
  'Otieno\u115F',
  'Otieno\uFE0F',
  'Otieno\u{1F600}',
  'M-PESA',
  'm-pesa agent',
  'M PESA',
  'M.P.E.S.A',
  "M'pesa",
  'MPESAX',
  'Ｍ－ＰＥＳＡ',
  'МРЕЅА',
  'M-PE\u0416SA',
  'M-PÉSA',
  'Safaricom Care',
  'S a f a r i c o m',
  'Daftari',
  'QKJ Confirmed',
  'imethibitishwa',
  'KES',
  'Ksh Otieno',
  'New Balance',
  'Salio',
  'a'.repeat(121),
];

test.for(NAMES)('%s is a name', async (name) => {
  expect(isHolderName(name)).toBe(true);
  expect(await judgeInSql([name])).toEqual([true]);
});

test.for(NOT_NAMES.map((name) => [JSON.stringify(name), name] as const))(
  '%s is no name',
  async ([, name]) => {
    expect(isHolderName(name)).toBe(false);
    expect(await judgeInSql([name])).toEqual([false]);
  },
);

/** Any text, and texts that are nearly names: parts of names, of our words, and of what makes either void. */
const nearlyNames = fc
  .array(
    fc.constantFrom(
      'M',
      'm',
      '-',
      '.',
      ' ',
      "'",
      '’',
      'pesa',
      'PE',
      'SA',
      'kes',
      'é',
      'e\u0301',
      'Ж',
      'М',
      'Р',
      'Е',
      'Ѕ',
      'А',
      'Ν',
      'ﬁ',
      'ſ',
      '王',
      '1',
      'Wanjiku',
      'ly',
      'ª',
      'ǅ',
      '\u00AD',
      'İ',
    ),
    {
      minLength: 1,
      maxLength: 8,
    },
  )
  .map((parts) => parts.join(''));
const oneSign = fc.integer({ min: 1, max: 0x1ffff }).map((point) => {
  return point >= 0xd800 && point <= 0xdfff ? 'a' : `A${String.fromCodePoint(point)}`;
});

test('the package and the database agree on every text', async () => {
  const names = fc.array(fc.oneof(texts, nearlyNames, oneSign), { minLength: 300, maxLength: 300 });
  await fc.assert(
    fc.asyncProperty(names, async (some) => {
      const inSql = await judgeInSql(some);
      for (const [index, name] of some.entries()) {
        expect([name, isHolderName(name)]).toEqual([name, inSql[index]]);
      }
    }),
    { numRuns: 40 },
  );
});

test('what makes up a name is a letter or a mark of Unicode, and can be seen', () => {
  for (let point = 0x80; point <= 0xffff; point += 1) {
    const sign = String.fromCodePoint(point);
    if (isHolderName(`${sign}${sign}`) && !'‘’ʼ'.includes(sign)) {
      expect(sign).toMatch(/[\p{L}\p{M}\p{Cn}]/u);
      expect(sign).not.toMatch(/\p{Default_Ignorable_Code_Point}/u);
    }
  }
});

test.for(['insert', 'update'])('the database takes no customer of another name by %s', async (way) => {
  const change =
    way === 'insert'
      ? `INSERT INTO core.wallets (id, holder_name) VALUES ('LINK', 'Win bit.ly')`
      : `UPDATE core.wallets SET holder_name = 'Win bit.ly' WHERE id = 'NAMED'`;
  await database.sql(`SELECT core.open_wallet('NAMED', 'Otieno', NULL)`);
  await expect(throughDoor(database.sql, change)).rejects.toMatchObject({
    constraint: 'wallets_holder_name',
  });
});

test('a name from before the rule stays, and its wallet goes on working', async () => {
  await database.sql(`ALTER TABLE core.wallets DISABLE TRIGGER wallets_holder_name`);
  await throughDoor(database.sql, `INSERT INTO core.wallets (id, holder_name) VALUES ('OLD', 'Kiosk 7')`);
  await database.sql(`ALTER TABLE core.wallets ENABLE TRIGGER wallets_holder_name`);
  await database.sql(`SELECT core.change_wallet('OLD', NULL, '0712345678', NULL, 'a trial')`);
  expect(await database.sql(`SELECT holder_name FROM core.wallets WHERE id = 'OLD'`)).toEqual([
    { holder_name: 'Kiosk 7' },
  ]);
});
