import { expect, test } from 'vitest';
import { createDb } from '../connection/db.ts';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { countPosted, newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { connect, useTestDb, valueOf } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer, openFunded, setStatus } from '../testing/database/wallet-fixtures.ts';
import { transaction } from '../connection/transaction.ts';
import { transfer, transfers } from './transfers.ts';
import type { Transfer } from './transfers.ts';

const database = useTestDb();
const { sql } = database;

/** The answer to each of several callers: the reference, or the code of the refusal. */
async function told(requests: readonly Promise<{ readonly reference: string }>[]): Promise<string[]> {
  const settled = await Promise.allSettled(requests);
  return settled.map((one) =>
    one.status === 'fulfilled' ? one.value.reference : String((one.reason as { code?: string }).code),
  );
}

test('the same key and request give the same answer, and the money moves once', async () => {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const request = sampleTransfer({ from, to, amount: '30.00' });
  const first = await transfer(database.db, request);
  await transfer(database.db, sampleTransfer({ from, to, amount: '5.00' }));
  expect(await transfer(database.db, request)).toEqual({ ...first, replayed: true });
  expect([await balanceOf(sql, from), await balanceOf(sql, to)]).toEqual(['65.00', '35.00']);
});

test('an amount written in another way is the same request', async () => {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const request = sampleTransfer({ from, to, amount: '30' });
  const first = await transfer(database.db, request);
  const again = await transfer(database.db, { ...request, amount: '030.000', currency: 'KES' });
  expect(again).toEqual({ ...first, replayed: true });
});

test.each(['from', 'to', 'amount', 'narrative'] as const)(
  'the same key with another `%s` is refused, and the first request stays as it was',
  async (field) => {
    const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
    const request = sampleTransfer({ from, to, amount: '30.00' });
    const first = await transfer(database.db, request);
    const other = { from: await openFunded(database, '50.00'), to: await openCustomer(database.db) };
    const changed = { ...other, amount: '30.01', narrative: 'kodi' }[field];
    expect(await refusalOf(transfer(database.db, { ...request, [field]: changed }))).toBe('key_reused');
    expect(await transfer(database.db, request)).toEqual({ ...first, replayed: true });
    expect(await balanceOf(sql, to)).toBe('30.00');
  },
);

test('a refusal is remembered although the money arrives afterwards', async () => {
  const [from, to] = [await openCustomer(database.db), await openCustomer(database.db)];
  const request = sampleTransfer({ from, to, amount: '10.00' });
  expect(await refusalOf(transfer(database.db, request))).toBe('insufficient_funds');
  const giver = await openFunded(database, '50.00');
  await transfer(database.db, sampleTransfer({ from: giver, to: from, amount: '50.00' }));
  expect(await refusalOf(transfer(database.db, request))).toBe('insufficient_funds');
  expect(await balanceOf(sql, from)).toBe('50.00');
  expect((await transfer(database.db, { ...request, idempotencyKey: newKey() })).balanceAfter).toBe('40.00');
});

test('a refusal for a frozen wallet is remembered although it was thawed', async () => {
  const [from, to] = [await openFunded(database, '50.00'), await openCustomer(database.db)];
  const request = sampleTransfer({ from, to });
  await setStatus(sql, to, 'FROZEN');
  expect(await refusalOf(transfer(database.db, request))).toBe('wallet_frozen');
  await setStatus(sql, to, 'ACTIVE');
  expect(await refusalOf(transfer(database.db, request))).toBe('wallet_frozen');
});

test('what was done is still answered after the wallets have been frozen', async () => {
  const [from, to] = [await openFunded(database, '50.00'), await openCustomer(database.db)];
  const request = sampleTransfer({ from, to });
  const first = await transfer(database.db, request);
  await setStatus(sql, from, 'FROZEN');
  await setStatus(sql, to, 'CLOSED');
  expect(await transfer(database.db, request)).toEqual({ ...first, replayed: true });
});

test('a key that was refused and comes with another request is reused, not refused', async () => {
  const [from, to] = [await openCustomer(database.db), await openCustomer(database.db)];
  const request = sampleTransfer({ from, to });
  expect(await refusalOf(transfer(database.db, request))).toBe('insufficient_funds');
  expect(await refusalOf(transfer(database.db, { ...request, amount: '0.01' }))).toBe('key_reused');
});

test('within one batch the second of a key is the replay of the first, done or refused', async () => {
  const [from, to] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
  const request = sampleTransfer({ from, to, amount: '6.00' });
  const refused = sampleTransfer({ from, to, amount: '60.00' });
  const results = await transfers(database.db, [
    request,
    refused,
    request,
    { ...request, amount: '1.00' },
    refused,
    { ...refused, amount: '1.00' },
  ]);
  const [first] = results;
  expect(first).toMatchObject({ ok: true, balanceAfter: '4.00', replayed: false });
  expect(results.slice(1)).toMatchObject([
    { ok: false, code: 'insufficient_funds' },
    { ...first, replayed: true },
    { ok: false, code: 'key_reused' },
    { ok: false, code: 'insufficient_funds' },
    { ok: false, code: 'key_reused' },
  ]);
  expect(await balanceOf(sql, to)).toBe('6.00');
});

/** Runs `ask` for each request from a connection of its own, all held back by one lock until every one waits for it. */
async function atOnce(requests: readonly Transfer[], wallets: readonly string[]): Promise<string[]> {
  const dbs = requests.map(() => createDb({ url: database.url, maxConnections: 1 }));
  const holder = await connect(database.url);
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM core.wallets WHERE id = ANY ($1) FOR UPDATE', [wallets]);
    const answers = told(
      dbs.map((db, i) => transfer(db, requests[i] ?? sampleTransfer({ from: '', to: '' }))),
    );
    await untilWaiting(database.url, requests.length);
    await holder.query('COMMIT');
    return await answers;
  } finally {
    await holder.end();
    await Promise.all(dbs.map((db) => db.close()));
  }
}

test('one request that arrives on eight connections at the same moment is done once', async () => {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const request = sampleTransfer({ from, to });
  const answers = await atOnce(
    Array.from({ length: 8 }, () => request),
    [from],
  );
  expect(new Set(answers).size).toBe(1);
  expect(answers[0]).toMatch(/^DF-/);
  expect(await countPosted(sql, request.idempotencyKey)).toBe(1);
  expect(await balanceOf(sql, to)).toBe('10.00');
});

test('one refused request that arrives on eight connections at the same moment is refused to all', async () => {
  const [from, to] = [await openCustomer(database.db), await openCustomer(database.db)];
  const request = sampleTransfer({ from, to });
  const answers = await atOnce(
    Array.from({ length: 8 }, () => request),
    [from],
  );
  expect(new Set(answers)).toEqual(new Set(['insufficient_funds']));
});

test('of requests with one key at the same moment one is done and the others are refused', async () => {
  const idempotencyKey = newKey();
  // They share no wallet, so nothing but the key itself is between them.
  const requests: Transfer[] = [];
  for (let i = 0; i < 4; i += 1) {
    const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
    requests.push(sampleTransfer({ from, to, idempotencyKey }));
  }
  const answers = await atOnce(
    requests,
    requests.map(({ from }) => from),
  );
  expect(answers.filter((answer) => answer.startsWith('DF-'))).toHaveLength(1);
  expect(answers.filter((answer) => answer === 'key_reused')).toHaveLength(3);
  expect(await countPosted(sql, idempotencyKey)).toBe(1);
});

test('of two transactions that use one key for two requests the later one is refused, although it began first', async () => {
  const idempotencyKey = newKey();
  const open = async () =>
    sampleTransfer({
      from: await openFunded(database, '100.00'),
      to: await openCustomer(database.db),
      idempotencyKey,
    });
  const [early, late] = [await open(), await open()];
  const other = createDb({ url: database.url, maxConnections: 1 });
  const blocked: Promise<string>[] = [];
  const first = await transaction(database.db, async (tx) => {
    const posted = await transfer(tx, early);
    blocked.push(refusalOf(transaction(other, (handle) => transfer(handle, late))));
    await untilWaiting(database.url, 1);
    return posted;
  });
  expect(first.replayed).toBe(false);
  expect(await Promise.all(blocked)).toEqual(['key_reused']);
  await other.close();
});

test('batches that use the same keys in opposite orders answer every caller', async () => {
  const dbs = Array.from({ length: 4 }, () => createDb({ url: database.url, maxConnections: 1 }));
  const wallets = await Promise.all(dbs.map(() => openFunded(database, '1000.00')));
  const to = await Promise.all(dbs.map(() => openCustomer(database.db)));
  for (let round = 0; round < 5; round += 1) {
    const keys = Array.from({ length: 20 }, () => newKey());
    const results = await Promise.all(
      dbs.map((db, i) => {
        const mine = keys.map((idempotencyKey) =>
          sampleTransfer({ from: wallets[i] ?? '', to: to[i] ?? '', amount: '1.00', idempotencyKey }),
        );
        return transfers(db, i % 2 === 0 ? mine : mine.toReversed());
      }),
    );
    expect(results.flat().filter(({ ok }) => ok)).toHaveLength(20);
    expect(results.flat().filter((result) => !result.ok && result.code === 'key_reused')).toHaveLength(60);
  }
  await Promise.all(dbs.map((db) => db.close()));
});

test('a new reference that is taken, by the same facts or others, spends no key: the next try is done', async () => {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const { reference, amount } = await transfer(database.db, sampleTransfer({ from, to }));
  const key = newKey();
  const outcomesOf = async (taken: string, sum: string) =>
    valueOf(sql, 'SELECT outcomes[1] FROM core.record_transfers($1, $2, $3, $4, $5, $6, $7, $8)', [
      [key],
      ['digest'],
      [taken],
      [from],
      [to],
      [sum],
      ['KES'],
      [null],
    ]);
  expect(await outcomesOf(reference, amount)).toBe('collision');
  expect(await outcomesOf(reference, '7.00')).toBe('collision');
  expect(await outcomesOf('DF-NEVERTAKEN00', '7.00')).toBe('posted');
});

test('after all of this the ledger is sound', async () => {
  expect(await ledgerFaults(sql)).toEqual([]);
});
