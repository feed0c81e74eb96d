import fc from 'fast-check';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { formatCents, parseCents } from '../money.ts';
import { allFaults } from '../testing/ledger/hold-faults.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { watchBlocks } from '../testing/database/blocks-read.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';
import { reverseTransaction } from '../ledger/reversals.ts';
import { transfer, transfers } from '../ledger/transfers.ts';
import { balanceAt, walletStatement } from './wallet-statement.ts';
import type { StatementLine, StatementRequest } from './wallet-statement.ts';
import { lookupWallet } from './wallets.ts';

const database = useTestDb();
const { sql } = database;

/** All pages of a statement, one after the other. */
async function readAll(request: StatementRequest): Promise<StatementLine[]> {
  const lines: StatementLine[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await walletStatement(database.db, { ...request, ...(cursor && { cursor }) });
    expect(page.lines.length).toBeLessThanOrEqual(request.limit ?? 50);
    lines.push(...page.lines);
    if (page.nextCursor === null) return lines;
    cursor = page.nextCursor;
  }
}

/** Transfers that are a millisecond and more apart, back and forth, so that each has a moment of its own. */
async function busyWallet(postings: number): Promise<string> {
  const [wallet, other] = [await openFunded(database, '900.00'), await openFunded(database, '900.00')];
  for (let i = 0; i < postings; i += 1) {
    const [from, to] = i % 3 === 2 ? [other, wallet] : [wallet, other];
    await transfer(database.db, sampleTransfer({ from, to, amount: `${i + 1}.00` }));
    await sleep(2);
  }
  return wallet;
}

test('a statement has each posting with its direction, its other side and the balance after it', async () => {
  const [wallet, other] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const sent = await transfer(
    database.db,
    sampleTransfer({ from: wallet, to: other, amount: '30.00', narrative: 'kodi' }),
  );
  await reverseTransaction(database.db, {
    reference: sent.reference,
    amount: '5.00',
    idempotencyKey: newKey(),
  });
  const statement = await walletStatement(database.db, { wallet });
  expect(statement).toMatchObject({
    wallet,
    currency: 'KES',
    openingBalance: '0.00',
    closingBalance: '75.00',
  });
  expect(statement.nextCursor).toBeNull();
  expect(statement.lines).toMatchObject([
    {
      type: 'DEPOSIT',
      direction: 'credit',
      counterparty: 'MPESA-FLOAT',
      amount: '100.00',
      balanceAfter: '100.00',
    },
    { type: 'TRANSFER', direction: 'debit', counterparty: other, amount: '30.00', balanceAfter: '70.00' },
    { type: 'REVERSAL', direction: 'credit', counterparty: other, amount: '5.00', balanceAfter: '75.00' },
  ]);
  expect(statement.lines[1]).toMatchObject({
    reference: sent.reference,
    narrative: 'kodi',
    createdAt: sent.createdAt,
  });
});

test('a wallet in which nothing ever happened has an empty statement of zeros', async () => {
  const wallet = await openCustomer(database.db);
  const period = { from: new Date('2026-01-01T00:00:00Z'), to: new Date('2126-01-01T00:00:00Z') };
  for (const request of [{ wallet }, { wallet, ...period }]) {
    expect(await walletStatement(database.db, request)).toEqual({
      wallet,
      currency: 'KES',
      openingBalance: '0.00',
      closingBalance: '0.00',
      lines: [],
      nextCursor: null,
    });
  }
  expect(await balanceAt(database.db, { wallet, at: new Date() })).toBe('0.00');
});

test('for every period the two balances are those at its ends, and the lines lead from one to the other', async () => {
  const wallet = await busyWallet(24);
  const all = await readAll({ wallet });
  const moments = all.map(({ createdAt }) => createdAt.getTime());
  const first = moments[0] ?? 0;
  const offsets = fc.integer({ min: -3, max: (moments.at(-1) ?? 0) - first + 3 });
  await fc.assert(
    fc.asyncProperty(offsets, offsets, async (one, two) => {
      const from = new Date(first + Math.min(one, two));
      const to = new Date(first + Math.max(one, two));
      const { openingBalance, closingBalance } = await walletStatement(database.db, { wallet, from, to });
      const lines = await readAll({ wallet, from, to, limit: 5 });
      expect(lines).toEqual(all.filter(({ createdAt }) => createdAt >= from && createdAt < to));
      const justBefore = (moment: Date) => new Date(moment.getTime() - 1);
      expect(openingBalance).toBe(await balanceAt(database.db, { wallet, at: justBefore(from) }));
      expect(closingBalance).toBe(await balanceAt(database.db, { wallet, at: justBefore(to) }));
      const moved = lines.reduce(
        (sum, { direction, amount }) => sum + (direction === 'credit' ? 1n : -1n) * parseCents(amount),
        parseCents(openingBalance),
      );
      expect(formatCents(moved)).toBe(closingBalance);
    }),
    { numRuns: 60 },
  );
});

test('the balance at a moment has in it what happened at this very moment', async () => {
  const wallet = await busyWallet(4);
  for (const { createdAt, balanceAfter } of await readAll({ wallet })) {
    expect(await balanceAt(database.db, { wallet, at: createdAt })).toBe(balanceAfter);
  }
  const now = await lookupWallet(database.db, wallet);
  expect(await balanceAt(database.db, { wallet, at: new Date('9999-12-31T23:59:59.999Z') })).toBe(
    now?.balance,
  );
  expect(await balanceAt(database.db, { wallet, at: new Date('0001-01-01T00:00:00.000Z') })).toBe('0.00');
});

test('a period that ends before it begins is empty', async () => {
  const wallet = await busyWallet(4);
  const [, , second, third] = await readAll({ wallet });
  const period = { from: third?.createdAt ?? new Date(), to: second?.createdAt ?? new Date() };
  const statement = await walletStatement(database.db, { wallet, ...period });
  expect(statement).toMatchObject({ lines: [], openingBalance: statement.closingBalance, nextCursor: null });
});

test('pages do not shift, repeat or leave out a line while postings arrive', async () => {
  const [wallet, other] = [await openFunded(database, '1000.00'), await openCustomer(database.db)];
  const pay = (count: number) =>
    transfers(
      database.db,
      Array.from({ length: count }, () => sampleTransfer({ from: wallet, to: other, amount: '1.00' })),
    );
  await pay(30);
  const lines: StatementLine[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof walletStatement>> = await walletStatement(database.db, {
      wallet,
      limit: 7,
      ...(cursor !== null && { cursor }),
    });
    lines.push(...page.lines);
    cursor = page.nextCursor;
    if (lines.length < 60) await pay(5);
  } while (cursor !== null);
  expect(lines.map(({ balanceAfter }) => balanceAfter)).toEqual(
    Array.from({ length: lines.length }, (_, i) => `${1000 - i}.00`),
  );
  expect(new Set(lines.map(({ reference }) => reference)).size).toBe(lines.length);
  expect(lines.length).toBeGreaterThan(60);
});

test('the last line of the last page leaves the closing balance, also while postings arrive', async () => {
  const [wallet, other] = [await openFunded(database, '1000.00'), await openCustomer(database.db)];
  const paying = (async () => {
    for (let i = 0; i < 150; i += 1) {
      await transfer(database.db, sampleTransfer({ from: wallet, to: other, amount: '1.00' }));
    }
  })();
  for (let seen = 0; seen < 151;) {
    const { lines, closingBalance, nextCursor } = await walletStatement(database.db, { wallet, limit: 500 });
    expect(nextCursor).toBeNull();
    expect(lines.at(-1)?.balanceAfter).toBe(closingBalance);
    seen = lines.length;
  }
  await paying;
});

test('a limit is kept to between one line and five hundred', async () => {
  const wallet = await busyWallet(3);
  expect((await walletStatement(database.db, { wallet, limit: 0 })).lines).toHaveLength(1);
  expect((await walletStatement(database.db, { wallet, limit: 10_000 })).lines).toHaveLength(4);
});

test('a page of exactly what is left is the last one', async () => {
  const wallet = await busyWallet(3);
  expect((await walletStatement(database.db, { wallet, limit: 4 })).nextCursor).toBeNull();
  expect((await walletStatement(database.db, { wallet, limit: 3 })).nextCursor).not.toBeNull();
});

test.each([
  ['cursor', { cursor: 'abc' }],
  ['cursor', { cursor: '-1' }],
  ['cursor', { cursor: '1'.repeat(19) }],
  ['limit', { limit: Number.NaN }],
  ['limit', { limit: 1.5 }],
  ['from', { from: new Date(Number.NaN) }],
  ['to', { to: new Date(8.64e15) }],
])('an invalid `%s` is refused by its name', async (field, facts) => {
  const wallet = await openCustomer(database.db);
  const request = walletStatement(database.db, { wallet, ...facts });
  await expect(request).rejects.toMatchObject({ code: 'invalid_request', field });
});

test.each(['NOBODY', 'MPESA-FLOAT', '', 'a\0b', '\ud800', 'x'.repeat(300)])(
  'the wallet "%s" has no statement',
  async (wallet) => {
    expect(await refusalOf(walletStatement(database.db, { wallet }))).toBe('unknown_wallet');
    expect(await refusalOf(balanceAt(database.db, { wallet, at: new Date() }))).toBe('unknown_wallet');
  },
);

test('what a page and a balance cost does not grow with the postings of the wallet', async () => {
  const [wallet, other] = [await openFunded(database, '30000.00'), await openCustomer(database.db)];
  const pay = () =>
    transfers(
      database.db,
      Array.from({ length: 2_000 }, () => sampleTransfer({ from: wallet, to: other, amount: '1.00' })),
    );
  for (let batch = 0; batch < 10; batch += 1) await pay();
  const blocksReadBy = await watchBlocks(database, 'core.transactions');
  const all = await walletStatement(database.db, { wallet, limit: 500 });
  const early = all.lines[1]?.createdAt ?? new Date();
  const late = (await walletStatement(database.db, { wallet, limit: 1, cursor: '19999' })).lines[0]
    ?.createdAt;
  const end = late ?? new Date();
  const requests: StatementRequest[] = [
    { wallet },
    { wallet, cursor: '15000' },
    { wallet, from: end },
    { wallet, to: early },
    { wallet, from: early, to: end, limit: 10 },
    { wallet, from: end, to: new Date(end.getTime() + 60_000) },
  ];
  // Again and again, because a prepared statement gets a plan for any value after its fifth time.
  for (let time = 0; time < 7; time += 1) {
    for (const request of requests) {
      const blocks = await blocksReadBy(async () => {
        await walletStatement(database.db, request);
        await balanceAt(database.db, { wallet, at: request.from ?? end });
      });
      expect(blocks).toBeLessThan(300);
    }
  }
});

test('after all of this the ledger is sound', async () => {
  expect(await allFaults(sql)).toEqual([]);
});
