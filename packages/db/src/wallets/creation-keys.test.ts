import { expect, test } from 'vitest';
import { createApiKey, findApiKey } from '../api-keys.ts';
import { createDb } from '../connection/db.ts';
import type { Db } from '../connection/db.ts';
import { accepted, claimNew, drain } from '../testing/sms/messages.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { connect, useTestDb, valueOf } from '../testing/database/test-db.ts';
import { newPhone, openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';
import { settleSms } from '../sms/settlements.ts';
import { queueSms } from '../sms/queue.ts';
import { transaction } from '../connection/transaction.ts';
import { transfer } from '../ledger/transfers.ts';
import { openWallet } from './wallets.ts';

const database = useTestDb();
const { sql } = database;

/** Asks for the same on ten pools, all of which have looked for the key before any of them writes it. */
async function meetAtKey<Answer>(work: (db: Db) => Promise<Answer>): Promise<Answer[]> {
  const pools = Array.from({ length: 10 }, () => createDb({ url: database.url, maxConnections: 1 }));
  const holder = await connect(database.url);
  try {
    await holder.query('BEGIN');
    await holder.query('LOCK TABLE core.requests IN EXCLUSIVE MODE');
    const asking = Promise.all(pools.map(work));
    await untilWaiting(database.url, pools.length);
    await holder.query('COMMIT');
    return await asking;
  } finally {
    await holder.end();
    await Promise.all(pools.map((pool) => pool.close()));
  }
}

const countOf = (table: string) => valueOf(sql, `SELECT count(*)::int FROM ${table}`);

test.for(['alone', 'in a transaction'])(
  'of ten who open one wallet for one key at once, %s, one opens it and all get its number',
  async (way) => {
    const request = { holderName: 'Otieno', phone: newPhone(), idempotencyKey: newKey() };
    const before = Number(await countOf('core.wallets'));
    const opened = await meetAtKey((db) =>
      way === 'alone' ? openWallet(db, request) : transaction(db, (tx) => openWallet(tx, request)),
    );
    expect(await countOf('core.wallets')).toBe(before + 1);
    expect(new Set(opened.map(({ number }) => number)).size).toBe(1);
    expect(opened.filter(({ replayed }) => !replayed)).toHaveLength(1);
  },
);

test('of ten who open one wallet of a given number for one key at once one opens it and all get it', async () => {
  const request = { holderName: 'Otieno', phone: newPhone(), number: 'OURS', idempotencyKey: newKey() };
  const asking = Array.from({ length: 10 }, () => openWallet(database.db, request));
  expect((await Promise.all(asking)).filter(({ replayed }) => !replayed)).toHaveLength(1);
});

test('of ten who make one API key for one key at once one is shown it, and there is one', async () => {
  const request = { name: 'till 7', scopes: ['read'] as const, idempotencyKey: newKey() };
  const before = Number(await countOf('services.api_keys'));
  const made = await meetAtKey((db) => createApiKey(db, request));
  expect(await countOf('services.api_keys')).toBe(before + 1);
  expect(new Set(made.map(({ id }) => id)).size).toBe(1);
  const shown = made.flatMap(({ key }) => (key === null ? [] : [key]));
  expect(shown).toHaveLength(1);
  expect(await findApiKey(database.db, shown[0] ?? '')).toMatchObject({ name: 'till 7' });
});

test('a repeat gets the wallet as it is now', async () => {
  const request = { holderName: 'Otieno', phone: newPhone(), idempotencyKey: newKey() };
  const first = await openWallet(database.db, request);
  const from = await openFunded(database, '5.00');
  await transfer(database.db, sampleTransfer({ from, to: first.number, amount: '5.00' }));
  expect(await openWallet(database.db, request)).toEqual({
    ...first,
    balance: '5.00',
    available: '5.00',
    replayed: true,
  });
});

test('without a key each request opens a wallet', async () => {
  const request = { holderName: 'Otieno', phone: newPhone() };
  const [one, two] = [await openWallet(database.db, request), await openWallet(database.db, request)];
  expect(one.number).not.toBe(two.number);
});

test('a key that was used for another wallet, or for a transfer, opens none', async () => {
  const [from, to] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
  const spent = sampleTransfer({ from, to, amount: '1.00' });
  await transfer(database.db, spent);
  const request = { holderName: 'Otieno', phone: newPhone(), idempotencyKey: newKey() };
  await openWallet(database.db, request);
  const before = await countOf('core.wallets');
  for (const other of [
    { ...request, holderName: 'Achieng' },
    { ...request, phone: newPhone() },
    { ...request, language: 'sw' as const },
    { ...request, number: 'OTHER' },
    { ...request, idempotencyKey: spent.idempotencyKey },
  ])
    expect(await refusalOf(openWallet(database.db, other))).toBe('key_reused');
  expect(await countOf('core.wallets')).toBe(before);
  expect(await refusalOf(transfer(database.db, { ...spent, idempotencyKey: request.idempotencyKey }))).toBe(
    'key_reused',
  );
  const scopes = ['read'] as const;
  expect(
    await refusalOf(createApiKey(database.db, { name: 'x', scopes, idempotencyKey: spent.idempotencyKey })),
  ).toBe('key_reused');
});

test('a request that could not be done leaves its key free', async () => {
  const idempotencyKey = newKey();
  const wrong = openWallet(database.db, { holderName: 'Otieno', phone: '12', idempotencyKey });
  expect(await refusalOf(wrong)).toBe('invalid_wallet');
  const taken = { holderName: 'Otieno', phone: newPhone(), number: 'SUSPENSE', idempotencyKey };
  expect(await refusalOf(openWallet(database.db, taken))).toBe('wallet_exists');
  const right = { holderName: 'Otieno', phone: newPhone(), idempotencyKey };
  expect((await openWallet(database.db, right)).replayed).toBe(false);
});

test('the key of a message stays with its text, also when that has been sent in other letters', async () => {
  await drain(sql);
  const message = { recipient: newPhone(), message: '\u201cHello\u201d', idempotencyKey: newKey() };
  const claimed = await claimNew(database.db, message);
  await settleSms(database.db, [accepted(claimed, { message: '"Hello"' })]);
  expect(await queueSms(database.db, message)).toMatchObject({ id: claimed.id, replayed: true });
  for (const other of [
    { ...message, message: 'Bye' },
    { ...message, message: '"Hello"' },
    { ...message, recipient: newPhone() },
    { ...message, template: 'campaign' },
    { ...message, transactionReference: 'DF-1' },
  ])
    expect(await refusalOf(queueSms(database.db, other))).toBe('key_reused');
});
