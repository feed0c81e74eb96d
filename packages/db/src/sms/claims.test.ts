import { beforeEach, expect, test } from 'vitest';
import { createDb } from '../connection/db.ts';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { findSms } from './messages.ts';
import { expireSmsLeases } from './claims.ts';
import { recordOptOut } from './opt-outs.ts';
import { settleSms } from './settlements.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { accepted, claim, claimNew, drain, endLeases, queueOne } from '../testing/sms/messages.ts';
import { isOverNodes } from '../testing/database/nodes.ts';
import { connect, sqlOf, throughDoor, useTestDb, valueOf } from '../testing/database/test-db.ts';
import { newPhone, openCustomer } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();
const { sql } = database;

beforeEach(() => drain(sql));

async function age(id: string, interval: string): Promise<void> {
  await throughDoor(
    sql,
    `UPDATE services.sms_logs SET created_at = created_at - $2::interval, next_attempt_at = next_attempt_at - $2::interval
      WHERE id = $1`,
    [id, interval],
  );
}

test('a claim records the attempt, its sender, its provider and its lease before anything leaves', async () => {
  const id = await queueOne(database.db, {
    transactionReference: 'DF-1',
    template: 'transfer_in',
    language: 'sw',
  });
  const { messages } = await claim(database.db, { sender: 'host-7', provider: 'simulator' });
  expect(messages).toEqual([
    expect.objectContaining({
      id,
      attempt: 1,
      recipientHash: null,
      message: 'Hello',
      template: 'transfer_in',
      language: 'sw',
      priority: 0,
      transactionReference: 'DF-1',
    }),
  ]);
  expect(await findSms(database.db, id)).toMatchObject({
    status: 'PENDING',
    phase: 'SENDING',
    attempts: 1,
    claimedBy: 'host-7',
    provider: 'simulator',
  });
});

test('what is claimed is not claimed again, also when its lease is over', async () => {
  const { id } = await claimNew(database.db);
  expect(await claim(database.db)).toMatchObject({ messages: [], nextDueMs: null });
  await endLeases(sql, id);
  expect(await expireSmsLeases(database.db)).toEqual({ expired: 1 });
  expect(await claim(database.db)).toMatchObject({ messages: [], nextDueMs: null });
  expect(await findSms(database.db, id)).toMatchObject({
    phase: 'UNKNOWN',
    status: 'PENDING',
    errorCode: 'lease_over',
  });
});

test('a lease that is not over stays', async () => {
  const { id } = await claimNew(database.db);
  expect(await expireSmsLeases(database.db)).toEqual({ expired: 0 });
  expect(await findSms(database.db, id)).toMatchObject({ phase: 'SENDING' });
});

test('the important goes first, and of equals the longest due', async () => {
  const [late, early, news] = [
    await queueOne(database.db),
    await queueOne(database.db),
    await queueOne(database.db, { priority: 1 }),
  ];
  await age(news, '3 hours');
  await age(late, '1 hour');
  await age(early, '2 hours');
  const order: (string | undefined)[] = [];
  for (let i = 0; i < 3; i += 1) {
    const { messages, nextDueMs } = await claim(database.db, { limit: 1 });
    expect(nextDueMs).toBe(0);
    order.push(messages[0]?.id);
  }
  expect(order).toEqual([early, late, news]);
});

test('a message whose attempts cannot be counted any further fails, and stops no other', async () => {
  const [tired, fresh] = [await queueOne(database.db), await queueOne(database.db)];
  await throughDoor(sql, 'UPDATE services.sms_logs SET attempts = 32767 WHERE id = $1', [tired]);
  await age(tired, '1 hour');
  const { messages, failed } = await claim(database.db, { limit: 5 });
  expect({ ids: messages.map(({ id }) => id), failed }).toEqual({ ids: [fresh], failed: 1 });
  expect(await findSms(database.db, tired)).toMatchObject({
    status: 'FAILED',
    phase: 'DONE',
    errorCode: 'attempts_exhausted',
  });
});

test('a deposit leaves a message that can be claimed', async () => {
  const account = await openCustomer(database.db);
  await recordDeposit(database.db, sampleDeposit({ account }));
  const { messages } = await claim(database.db);
  expect(messages).toMatchObject([{ template: 'deposit', priority: 0, language: 'en', attempt: 1 }]);
});

test('old news fails as expired, is not returned, and does not use up the limit', async () => {
  const old = await Promise.all(Array.from({ length: 30 }, () => queueOne(database.db)));
  await Promise.all(old.map((id) => age(id, '25 hours')));
  const fresh = await queueOne(database.db);
  const { messages, failed } = await claim(database.db, { limit: 2 });
  expect({ ids: messages.map(({ id }) => id), failed }).toEqual({ ids: [fresh], failed: 30 });
  expect(await findSms(database.db, old[0] ?? '')).toMatchObject({
    status: 'FAILED',
    phase: 'DONE',
    errorCode: 'expired',
    attempts: 0,
    provider: null,
  });
});

test('news that is younger than the age by a minute goes', async () => {
  const id = await queueOne(database.db);
  await age(id, '23 hours 59 minutes');
  expect((await claim(database.db)).messages.map((message) => message.id)).toEqual([id]);
});

test('a message without any number fails with the reason', async () => {
  const [row] = await sql(
    `INSERT INTO services.sms_logs (recipient, message) VALUES ('', 'x') RETURNING id::text AS id`,
  );
  expect(await claim(database.db)).toMatchObject({ messages: [], failed: 1 });
  expect(await findSms(database.db, String(row?.['id']))).toMatchObject({ errorCode: 'no_recipient' });
});

test('a holder who has opted out gets no news, but is told when their money moves', async () => {
  const number = newPhone();
  expect(await recordOptOut(database.db, { number: `+${number}`, senderId: 'BRAND' })).toEqual({
    recorded: true,
  });
  expect(await recordOptOut(database.db, { number, senderId: 'BRAND' })).toEqual({ recorded: false });
  const news = await queueOne(database.db, { recipient: number, priority: 1 });
  const money = await queueOne(database.db, { recipient: number, priority: 0 });
  const hash = String(await valueOf(sql, `SELECT encode(sha256($1::bytea), 'hex')`, [number]));
  const hashed = await queueOne(database.db, { recipient: hash, priority: 1 });
  const others = await queueOne(database.db, { priority: 1 });
  const { messages, failed } = await claim(database.db);
  expect({ ids: messages.map(({ id }) => id).toSorted(), failed }).toEqual({
    ids: [money, others].toSorted(),
    failed: 2,
  });
  for (const id of [news, hashed])
    expect(await findSms(database.db, id)).toMatchObject({ status: 'FAILED', errorCode: 'opted_out' });
});

test('a hashed number is claimed as a hash', async () => {
  const hash = 'ab'.repeat(32);
  expect(await claimNew(database.db, { recipient: hash.toUpperCase() })).toMatchObject({
    recipient: null,
    recipientHash: hash,
  });
});

test('a sender with nothing to do learns exactly when the next message is due', async () => {
  const message = await claimNew(database.db);
  await settleSms(database.db, [{ ...message, message: null, outcome: 'retry', retryAfterMs: 90_000 }]);
  const { messages, nextDueMs } = await claim(database.db);
  expect(messages).toEqual([]);
  expect(nextDueMs).toBeGreaterThan(60_000);
  expect(nextDueMs).toBeLessThanOrEqual(90_000);
});

test('a message that another session has just locked is no reason to ask again at once', async () => {
  const id = await queueOne(database.db);
  const other = await connect(database.url);
  try {
    // Over nodes only rows of one lane can be locked.
    const laneOf = 'SELECT lane::integer FROM services.sms_logs WHERE id = $1';
    const there = isOverNodes ? `lane = ${String(Number(await valueOf(sql, laneOf, [id])))} AND` : '';
    await other.query('BEGIN');
    await other.query(`SELECT 1 FROM services.sms_logs WHERE ${there} id = $1 FOR UPDATE`, [id]);
    expect(await claim(database.db)).toMatchObject({ messages: [], nextDueMs: null });
  } finally {
    await other.end();
  }
});

test('four senders that claim at once never get the same message, and none is left', async () => {
  const ids = await sql(
    `INSERT INTO services.sms_logs (recipient, message, lane)
     SELECT '2547' || lpad(n::text, 8, '0'), 'x', n % 16 FROM generate_series(1, 2000) n RETURNING id::text AS id`,
  );
  const { urls } = database;
  const dbs = Array.from({ length: 4 }, (_, i) =>
    createDb({ url: urls[i % urls.length] ?? '', maxConnections: 2 }),
  );
  try {
    const claimed = await Promise.all(
      dbs.flatMap((db, i) => [claimAll(db, `sender-${String(i)}`), claimAll(db, `sender-${String(i)}b`)]),
    );
    expect(claimed.flat().toSorted()).toEqual(ids.map(({ id }) => String(id)).toSorted());
    expect(claimed.filter((some) => some.length > 0).length).toBeGreaterThan(1);
  } finally {
    await Promise.all(dbs.map((db) => db.close()));
  }
});

async function claimAll(db: ReturnType<typeof createDb>, sender: string): Promise<string[]> {
  const all: string[] = [];
  for (;;) {
    const { messages, nextDueMs } = await claim(db, { sender, limit: 17 });
    all.push(...messages.map(({ id }) => id));
    if (nextDueMs === null) return all;
  }
}

test('the budget pauses what can wait, warns before, and never stops what tells of money', async () => {
  await throughDoor(sql, 'UPDATE services.sms_spend SET cost = 0, messages = 0, parts = 0');
  const budget = { amount: '10.0000', currency: 'KES' };
  await settleSms(database.db, [accepted(await claimNew(database.db), { cost: '7.9999' })]);
  expect(await claim(database.db, { budget })).toMatchObject({
    isPaused: false,
    isNearBudget: false,
    spent: '7.9999',
  });
  await settleSms(database.db, [accepted(await claimNew(database.db), { cost: '0.0001' })]);
  expect(await claim(database.db, { budget })).toMatchObject({
    isPaused: false,
    isNearBudget: true,
    spent: '8.0000',
  });
  await settleSms(database.db, [accepted(await claimNew(database.db), { cost: '2.0000' })]);

  const news = await queueOne(database.db, { priority: 1 });
  const money = await queueOne(database.db);
  const first = await claim(database.db, { budget });
  expect(first).toMatchObject({
    isPaused: true,
    isNearBudget: true,
    spent: '10.0000',
    messages: [{ id: money }],
  });
  // It waits for the next day in Nairobi, not for longer, and not in a loop.
  const untilMidnight = Number(
    await valueOf(
      sql,
      `SELECT ceil(extract(epoch FROM
         ((now() AT TIME ZONE 'Africa/Nairobi')::date + 1)::timestamp AT TIME ZONE 'Africa/Nairobi' - clock_timestamp()) * 1000)::float8`,
    ),
  );
  expect(first.nextDueMs).toBeGreaterThan(0);
  expect(Math.abs(Number(first.nextDueMs) - untilMidnight)).toBeLessThan(60_000);
  expect(
    (await claim(database.db, { budget: { amount: '10.0001', currency: 'KES' } })).messages,
  ).toMatchObject([{ id: news }]);
});

test('a budget looks at its own currency and at today only', async () => {
  await throughDoor(
    sql,
    `INSERT INTO services.sms_spend VALUES (services.eat_day(now() AT TIME ZONE 'UTC') - 1, 'EUR', 1, 1, 100)
             ON CONFLICT DO NOTHING`,
  );
  expect(await claim(database.db, { budget: { amount: '1', currency: 'EUR' } })).toMatchObject({
    isPaused: false,
    spent: '0.0000',
  });
});

test('a claim in a transaction that is rolled back has not happened', async () => {
  const id = await queueOne(database.db);
  const other = await connect(database.url);
  try {
    const run = sqlOf(other);
    await run('BEGIN');
    await run(`SELECT services.claim_sms('s', 'at', 10, 1000, 1000000, NULL, NULL)`);
    await run('ROLLBACK');
  } finally {
    await other.end();
  }
  expect((await claim(database.db)).messages).toMatchObject([{ id, attempt: 1 }]);
});

test.for([
  ['sender', { sender: '' }],
  ['limit', { limit: 0 }],
  ['limit', { limit: 1.5 }],
  ['leaseMs', { leaseMs: 0 }],
  ['maxAgeMs', { maxAgeMs: -1 }],
  ['budget', { budget: { amount: '-1', currency: 'KES' } }],
] as const)('a claim whose %s cannot be is refused', async ([field, request]) => {
  await expect(claim(database.db, request)).rejects.toMatchObject({ code: 'invalid_request', field });
});
