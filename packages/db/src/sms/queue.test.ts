import { beforeEach, expect, test } from 'vitest';
import { findSms, smsHistory } from './messages.ts';
import { recordOptOut } from './opt-outs.ts';
import { queueSms } from './queue.ts';
import { transaction } from '../connection/transaction.ts';
import { claim, drain } from '../testing/sms/messages.ts';
import { throughDoor, useTestDb, valueOf } from '../testing/database/test-db.ts';

const database = useTestDb();
const { sql } = database;

beforeEach(() => drain(sql));

test('a message is queued with the given facts, and the rest are the defaults', async () => {
  const { id, status } = await queueSms(database.db, { recipient: '0712 345 678', message: 'Habari “yako”' });
  expect(status).toBe('PENDING');
  const sms = await findSms(database.db, id);
  expect(sms).toMatchObject({
    recipient: '254712345678',
    recipientHash: null,
    message: 'Habari “yako”',
    template: 'message',
    language: 'en',
    priority: 0,
    transactionReference: null,
    status: 'PENDING',
    phase: 'QUEUED',
    attempts: 0,
    cost: null,
  });
  expect(sms?.nextAttemptAt.getTime()).toBe(sms?.createdAt.getTime());
});

test.for([
  ['+254 712-345-678', '254712345678'],
  ['712345678', '254712345678'],
  ['0110000416', '254110000416'],
  ['+255754123456', '255754123456'],
  ['256772123456', '256772123456'],
])('the number %s is sent to %s', async ([recipient, expected]) => {
  const { id } = await queueSms(database.db, { recipient: recipient ?? '', message: 'x' });
  expect(await findSms(database.db, id)).toMatchObject({ recipient: expected });
});

test.for(['2547 ***** 126', `${'a'.repeat(20)} ***** ${'b'.repeat(20)}`])(
  'a masked number fails at once and the row explains it: %s',
  async (recipient) => {
    const { id, status } = await queueSms(database.db, { recipient, message: 'x' });
    expect(status).toBe('FAILED');
    const sms = await findSms(database.db, id);
    expect(sms).toMatchObject({
      recipient: null,
      recipientHash: null,
      phase: 'DONE',
      errorCode: 'masked_number',
    });
    expect(sms?.errorMessage).toMatch(/masked.*Ask the payer/);
    expect((await claim(database.db)).messages).toEqual([]);
  },
);

test.for([
  ['recipient', { recipient: 'Wanjiku' }],
  ['recipient', { recipient: '' }],
  ['recipient', { recipient: '12345' }],
  ['message', { message: '' }],
  ['message', { message: 'x'.repeat(1531) }],
  ['message', { message: 'a\0b' }],
  ['template', { template: 'x'.repeat(41) }],
  ['transactionReference', { transactionReference: 'x'.repeat(51) }],
] as const)('a message whose %s cannot be is refused', async ([field, facts]) => {
  const queueing = queueSms(database.db, { recipient: '0712345678', message: 'x', ...facts });
  await expect(queueing).rejects.toMatchObject({ code: 'invalid_request', field });
});

test('a message goes with the transaction that it is about', async () => {
  const writing = transaction(database.db, async (tx) => {
    await queueSms(tx, { recipient: '0712345678', message: 'never' });
    throw new RangeError('the money did not move');
  });
  await expect(writing).rejects.toThrow('the money did not move');
  expect(await valueOf(sql, `SELECT count(*)::int FROM services.sms_logs WHERE message = 'never'`)).toBe(0);
});

test('code that knows the specified columns only goes on working', async () => {
  const [written] = await sql(
    `INSERT INTO services.sms_logs (recipient, message, cost, status, provider_message_id)
     VALUES ('254712345678', 'x', 0.8, 'SENT', 'ATXid_old') RETURNING phase, settled_at IS NOT NULL AS settled`,
  );
  expect(written).toEqual({ phase: 'DONE', settled: true });
});

test.for([
  `UPDATE services.sms_logs SET phase = 'SENDING' WHERE id = $1`,
  `UPDATE services.sms_logs SET phase = 'UNKNOWN' WHERE id = $1`,
  `UPDATE services.sms_logs SET phase = 'DONE' WHERE id = $1`,
  `UPDATE services.sms_logs SET phase = 'LOST' WHERE id = $1`,
  `UPDATE services.sms_logs SET priority = 2 WHERE id = $1`,
  `UPDATE services.sms_logs SET language = 'fr' WHERE id = $1`,
  `UPDATE services.sms_logs SET lease_until = now() WHERE id = $1`,
])('the database itself refuses a message that cannot be: %s', async (text) => {
  const { id } = await queueSms(database.db, { recipient: '0712345678', message: 'x' });
  await expect(throughDoor(sql, text, [id])).rejects.toMatchObject({ code: '23514' });
});

test('what has been sent does not go back to PENDING by its status alone', async () => {
  const [row] = await sql(
    `INSERT INTO services.sms_logs (recipient, message, status) VALUES ('1', 'x', 'SENT') RETURNING id`,
  );
  const text = `UPDATE services.sms_logs SET status = 'PENDING' WHERE id = $1`;
  const editing = throughDoor(sql, text, [row?.['id']]);
  await expect(editing).rejects.toMatchObject({ code: '23514' });
});

test.for(['sms_delivery_reports', 'sms_events'])('%s is append-only', async (table) => {
  for (const text of [
    `UPDATE services.${table} SET id = id`,
    `DELETE FROM services.${table}`,
    `TRUNCATE services.${table}`,
  ])
    await expect(sql(text)).rejects.toMatchObject({ code: 'DF001' });
});

test('what is spent is never deleted, and opt-outs are never truncated', async () => {
  for (const text of [
    'DELETE FROM services.sms_spend',
    'TRUNCATE services.sms_spend',
    'TRUNCATE services.sms_opt_outs',
  ])
    await expect(sql(text)).rejects.toMatchObject({ code: 'DF001' });
});

test.for(['x', '', '12'])('an opt-out of the number "%s" is refused', async (number) => {
  const recording = recordOptOut(database.db, { number });
  await expect(recording).rejects.toMatchObject({ code: 'invalid_request', field: 'number' });
});

test('an invalid id finds no message', async () => {
  expect(await findSms(database.db, 'x')).toBeNull();
  expect(await findSms(database.db, '01990000-0000-7000-8000-000000000000')).toBeNull();
  expect(await smsHistory(database.db, 'x')).toEqual([]);
});

test('the same idempotency key queues once and answers the same message, also from many at once', async () => {
  const sms = { recipient: '0712 345 678', message: 'Hello', idempotencyKey: 'order-1' };
  const answers = await Promise.all(Array.from({ length: 8 }, () => queueSms(database.db, sms)));
  expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
  expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
  expect((await claim(database.db)).messages).toHaveLength(1);
  expect(await queueSms(database.db, { ...sms, recipient: '254712345678' })).toMatchObject({
    replayed: true,
  });
});

test.each([
  ['text', { message: 'Bye' }],
  ['recipient', { recipient: '0712345679' }],
  ['mask instead of a recipient', { recipient: '2547 ***** 126' }],
  ['template', { template: 'campaign' }],
  ['language', { language: 'sw' }],
  ['priority', { priority: 1 }],
  ['reference', { transactionReference: 'DF-1' }],
] as const)('an idempotency key with another %s is refused', async (what, change) => {
  const sms = { recipient: '0712 345 678', message: 'Hello', idempotencyKey: `another ${what}` };
  await queueSms(database.db, sms);
  await expect(queueSms(database.db, { ...sms, ...change })).rejects.toMatchObject({ code: 'key_reused' });
});

test('a masked number with a key is the same message when it comes again', async () => {
  const sms = { recipient: '2547 ***** 126', message: 'Hello', idempotencyKey: 'masked' };
  const first = await queueSms(database.db, sms);
  expect(await queueSms(database.db, sms)).toEqual({ ...first, replayed: true });
});

test.each(['', 'x'.repeat(256), 'a\0'])('the idempotency key %j is refused', async (idempotencyKey) => {
  const sms = { recipient: '0712 345 678', message: 'Hello', idempotencyKey };
  await expect(queueSms(database.db, sms)).rejects.toMatchObject({
    code: 'invalid_request',
    field: 'idempotencyKey',
  });
});
