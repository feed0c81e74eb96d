import fc from 'fast-check';
import { anyCharacter } from '@repo/testing/characters';
import { expect, test } from 'vitest';
import { useTestDb } from './testing/database/test-db.ts';
import type { Row } from './testing/database/test-db.ts';
import { LANES, SYSTEM_ACCOUNTS, accountOf, laneOf, stripeOf } from './lanes.ts';
import { newWalletNumber } from './wallets/wallet-number.ts';

const { sql } = useTestDb();

const lanes = fc.integer({ min: 0, max: LANES - 1 });

/** Numbers as we give them, as others may have given them, and what only looks like one of our stripes. */
const numbers = fc.oneof(
  fc.constant(null).map(() => newWalletNumber()),
  fc.string({ unit: anyCharacter, minLength: 1, maxLength: 20 }).filter((text) => !text.includes('\0')),
  fc.tuple(fc.constantFrom(...SYSTEM_ACCOUNTS), lanes).map(([account, lane]) => stripeOf(account, lane)),
  fc
    .tuple(
      fc.constantFrom(...SYSTEM_ACCOUNTS),
      fc.constantFrom('.0', '.00', '.01', '.16', '.', '.7x', 'X', '\n'),
    )
    .map(([account, tail]) => account + tail),
);

test('TypeScript and SQL give a wallet number the same lane and the same account', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(numbers, { minLength: 1, maxLength: 50 }), async (all) => {
      const rows = await sql(
        `SELECT core.lane_of(t.number) AS lane, core.account_of(t.number) AS account
           FROM unnest($1::text[]) WITH ORDINALITY AS t (number, ord) ORDER BY t.ord`,
        [all],
      );
      expect(rows).toEqual(all.map((number) => ({ lane: laneOf(number), account: accountOf(number) })));
    }),
  );
});

test('lanes are those of the published form', () => {
  // Their SHA-256 begins with 0xc3, 0x52 and 0x8b, by sha256sum.
  expect(['4581809949', '1000000000', 'AMINA'].map(laneOf)).toEqual([3, 2, 11]);
  expect(['MPESA-FLOAT', 'SUSPENSE.7', 'FEES.15'].map(laneOf)).toEqual([0, 7, 15]);
});

test('every account that payments meet has one wallet for each lane, in that lane; the others have one', async () => {
  const rows = await sql(
    `SELECT id, lane, core.account_of(id) AS account FROM core.wallets WHERE kind = 'SYSTEM' ORDER BY id COLLATE "C"`,
  );
  const expected = SYSTEM_ACCOUNTS.flatMap((account) =>
    Array.from({ length: LANES }, (_, lane) => ({ id: stripeOf(account, lane), lane, account })),
  );
  const isStriped = ({ account }: Row) => SYSTEM_ACCOUNTS.some((each) => each === account);
  expect(rows.filter(isStriped)).toEqual(expected.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
  const others = rows.filter((row) => !isStriped(row)).map(({ id, lane }) => ({ id, lane }));
  expect(others).toEqual(['BANK', 'CHARGES', 'RECEIVABLES'].map((id) => ({ id, lane: laneOf(id) })));
});

test('a wallet opens in the lane of its number', async () => {
  const numbersOpened = Array.from({ length: 40 }, () => newWalletNumber());
  for (const number of numbersOpened) {
    await sql(`SELECT core.open_wallet($1, 'Amina Otieno', NULL)`, [number]);
  }
  const rows = await sql(`SELECT id, lane FROM core.wallets WHERE kind = 'CUSTOMER' ORDER BY id COLLATE "C"`);
  expect(rows).toEqual(numbersOpened.toSorted().map((id) => ({ id, lane: laneOf(id) })));
});

test('numbers spread over all lanes', () => {
  const counts = Array.from({ length: LANES }, () => 0);
  for (let i = 0; i < 16_000; i += 1) {
    const lane = laneOf(String(1_000_000_000 + i));
    counts[lane] = (counts[lane] ?? 0) + 1;
  }
  // 1,000 each on average, with a deviation of 31.
  expect(Math.min(...counts)).toBeGreaterThan(800);
  expect(Math.max(...counts)).toBeLessThan(1_200);
});
