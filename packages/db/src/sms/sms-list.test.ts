import { until } from '@repo/testing/until';
import { expect, test } from 'vitest';
import type { Handle } from '../connection/handle.ts';
import { transaction } from '../connection/transaction.ts';
import { listSms } from './sms-list.ts';
import { queueSms } from './queue.ts';
import { openTestDb, useTestDb } from '../testing/database/test-db.ts';
import { newPhone } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();

test('messages to a number are found however it is written, the newest first, page by page', async () => {
  const phone = newPhone();
  for (let count = 0; count < 5; count += 1) {
    await queueSms(database.db, { recipient: phone, message: `news ${String(count)}` });
    // Times have milliseconds, rounded; messages of one have no order.
    const queued = Date.now();
    await until('another millisecond', () => Date.now() > queued + 1);
  }
  await queueSms(database.db, { recipient: newPhone(), message: 'to another number' });
  for (const written of [phone, `+${phone}`, `0${phone.slice(3, 6)} ${phone.slice(6)}`]) {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof listSms>> = await listSms(database.db, {
        by: { phone: written },
        limit: 2,
        ...(cursor === null ? {} : { cursor }),
      });
      seen.push(...page.messages.map(({ message }) => message));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(['news 4', 'news 3', 'news 2', 'news 1', 'news 0']);
  }
});

test('messages about a transaction are found by its reference, in small letters too', async () => {
  const about = { recipient: newPhone(), message: 'x', transactionReference: 'QKJ41HARMI' };
  const { id } = await queueSms(database.db, about);
  for (const reference of ['QKJ41HARMI', 'qkj41harmi', ' QKJ41HARMI '])
    expect((await listSms(database.db, { by: { reference } })).messages.map((sms) => sms.id)).toEqual([id]);
  for (const reference of ['QKJ41HARM', '%', 'a\0b', '\ud800'])
    expect((await listSms(database.db, { by: { reference } })).messages).toEqual([]);
});

test.for(['', 'x', '1_x', '99999999999999999_00000000-0000-4000-8000-000000000000'])(
  'the cursor %j is invalid',
  async (cursor) => {
    await expect(listSms(database.db, { by: { reference: 'X' }, cursor })).rejects.toMatchObject({
      code: 'invalid_request',
      field: 'cursor',
    });
  },
);

test.for([
  ['number', { phone: '254700000077' }],
  ['reference', { reference: 'QKJ41HARMJ' }],
] as const)('a page by %s reads no messages but its own, however many there are', async ([, by]) => {
  await using own = await openTestDb();
  await own.sql(
    `INSERT INTO services.sms_logs (recipient, message, transaction_reference)
     SELECT '2547' || lpad(n::text, 8, '0'), 'x', 'R-' || n FROM generate_series(1, 20000) n`,
  );
  await own.sql(
    `INSERT INTO services.sms_logs (recipient, message, transaction_reference)
     SELECT '254700000077', 'x', 'QKJ41HARMJ' FROM generate_series(1, 3)`,
  );
  const { nextCursor } = await listSms(own.db, { by, limit: 1 });
  const reads = await transaction(own.db, async (tx) => {
    const before = await readsOf(tx);
    const page = await listSms(tx, { by, cursor: nextCursor ?? '' });
    expect(page.messages.length).toBeGreaterThan(1);
    return (await readsOf(tx)) - before;
  });
  expect(reads).toBeLessThan(10);
});

/** The rows of messages that this connection has read so far. */
async function readsOf(tx: Handle): Promise<number> {
  const text = `SELECT (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int AS reads
                  FROM pg_stat_xact_user_tables WHERE relname = 'sms_logs'`;
  const [row] = (await tx.run({ name: 'test_sms_reads', text }, [])) as { reads: number }[];
  return row?.reads ?? NaN;
}
