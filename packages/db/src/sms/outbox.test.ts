import { beforeEach, expect, test } from 'vitest';
import { settleSms } from './settlements.ts';
import { smsAttemptsOf, smsOutbox } from './outbox.ts';
import { accepted, claim, claimNew, drain, endLeases, queueOne } from '../testing/sms/messages.ts';
import { expireSmsLeases } from './claims.ts';
import { isOverNodes } from '../testing/database/nodes.ts';
import { throughDoor, useTestDb } from '../testing/database/test-db.ts';

const database = useTestDb();
const { sql } = database;

beforeEach(() => drain(sql));

test('an empty outbox has nothing to show', async () => {
  expect(await smsOutbox(database.db)).toEqual({
    queued: 0,
    sending: 0,
    unknown: 0,
    oldestDueMs: null,
    oldestUnimportantDueMs: null,
  });
});

test('what waits is counted by phase, and what is done is not', async () => {
  const lost = await claimNew(database.db);
  await endLeases(sql, lost.id);
  await expireSmsLeases(database.db);
  const done = await claimNew(database.db);
  await settleSms(database.db, [accepted(done)]);
  await claimNew(database.db);
  await queueOne(database.db);
  await queueOne(database.db);
  expect(await smsOutbox(database.db)).toMatchObject({ queued: 2, sending: 1, unknown: 1 });
});

test('the longest wait is shown for important and for unimportant messages, and those not due yet do not count', async () => {
  const id = await queueOne(database.db);
  const unimportant = await queueOne(database.db, { priority: 1 });
  const later = await queueOne(database.db);
  const move = `UPDATE services.sms_logs SET next_attempt_at = next_attempt_at + $2::interval WHERE id = $1`;
  await throughDoor(sql, move, [id, '-10 minutes']);
  await throughDoor(sql, move, [unimportant, '-2 hours']);
  await throughDoor(sql, move, [later, '1 hour']);
  const { oldestDueMs, oldestUnimportantDueMs } = await smsOutbox(database.db);
  expect(Math.round((oldestDueMs ?? 0) / 60_000)).toBe(10);
  expect(Math.round((oldestUnimportantDueMs ?? 0) / 3_600_000)).toBe(2);
});

test("a sender finds its own attempts under way, and nobody else's", async () => {
  const mine = await claimNew(database.db, {}, { sender: 'sender-1' });
  await claimNew(database.db, {}, { sender: 'sender-2' });
  const settled = await claimNew(database.db, {}, { sender: 'sender-1' });
  await settleSms(database.db, [accepted(settled)]);
  expect(await smsAttemptsOf(database.db, { sender: 'sender-1' })).toEqual([{ id: mine.id, attempt: 1 }]);
});

// Over nodes each shard has a plan of its own, and EXPLAIN shows that of one.
test.skipIf(isOverNodes)(
  'a look at them reads what is under way, however many messages are done',
  async () => {
    await sql(
      `INSERT INTO services.sms_logs (recipient, message, status) SELECT '254700000001', 'x', 'SENT' FROM generate_series(1, 50000)`,
    );
    await sql('ANALYZE services.sms_logs');
    await claim(database.db);
    const plan = await sql(
      `EXPLAIN SELECT id, attempts FROM services.sms_logs
      WHERE phase = 'SENDING' AND lease_until IS NOT NULL AND claimed_by = 'sender-1'`,
    );
    expect(JSON.stringify(plan)).toContain('sms_logs_lease_idx');
  },
);
