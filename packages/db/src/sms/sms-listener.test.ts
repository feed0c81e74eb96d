import { until } from '@repo/testing/until';
import { expect, test } from 'vitest';
import { createDb } from '../connection/db.ts';
import { listenForSms } from './sms-listener.ts';
import { queueSms, wakeSmsSenders } from './queue.ts';
import { transaction } from '../connection/transaction.ts';
import { claim, queueOne } from '../testing/sms/messages.ts';
import { useTestDb } from '../testing/database/test-db.ts';

const database = useTestDb();

/** Counts wake-ups; a test awaits the next one instead of a time. */
function wakeUps(): { onWake: () => void; count: () => number; next: () => Promise<void> } {
  let count = 0;
  let waiting = Promise.withResolvers<void>();
  return {
    onWake: () => {
      count += 1;
      waiting.resolve();
      waiting = Promise.withResolvers<void>();
    },
    count: () => count,
    next: () => waiting.promise,
  };
}

const CUT = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'`;

test('a sender is woken when it begins to listen, when a message is queued, and on request', async () => {
  const wakes = wakeUps();
  const first = wakes.next();
  const listener = listenForSms(database.db, wakes.onWake);
  try {
    await Promise.all([listener.ready, first]);
    for (const wake of [
      () => queueSms(database.db, { recipient: '0712345678', message: 'x' }),
      () => wakeSmsSenders(database.db),
    ]) {
      const next = wakes.next();
      await wake();
      await next;
    }
    expect(wakes.count()).toBe(3);
  } finally {
    await listener.close();
  }
});

test('it is woken when the transaction commits, not before, and not for one that is rolled back', async () => {
  const wakes = wakeUps();
  const listener = listenForSms(database.db, wakes.onWake);
  try {
    await listener.ready;
    const undone = transaction(database.db, async (tx) => {
      await queueSms(tx, { recipient: '0712345678', message: 'x' });
      throw new RangeError('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    const next = wakes.next();
    await transaction(database.db, async (tx) => {
      await queueSms(tx, { recipient: '0712345678', message: 'x' });
      // A notice of this connection comes with an answer; the listener's has had time for one.
      await queueOne(database.db);
      await next;
      expect(wakes.count()).toBe(2);
    });
    await until('the third wake-up', wakes.count, { isFit: (count) => count === 3 });
  } finally {
    await listener.close();
  }
});

test('a connection that is cut is opened again, the loss is reported, and what was missed wakes', async () => {
  const wakes = wakeUps();
  const errors: string[] = [];
  const listener = listenForSms(database.db, wakes.onWake, { onError: ({ code }) => errors.push(code) });
  try {
    await listener.ready;
    const again = wakes.next();
    await database.sql(CUT);
    await again;
    expect(errors).toEqual(['database_unavailable']);
    const next = wakes.next();
    await wakeSmsSenders(database.db);
    await next;
  } finally {
    await listener.close();
  }
});

test('it keeps trying when the database is not there, and stops on request', async () => {
  const db = createDb({ url: 'postgresql://nobody@127.0.0.1:1/none' });
  const told = Promise.withResolvers<string>();
  const listener = listenForSms(db, () => undefined, { onError: ({ code }) => told.resolve(code) });
  expect(await told.promise).toBe('database_unavailable');
  await listener.close();
  await db.close();
});

test('a listener that is closed has left no connection behind and hears nothing more', async () => {
  const wakes = wakeUps();
  const listener = listenForSms(database.db, wakes.onWake);
  await listener.ready;
  await listener.close();
  await listener.close();
  const left = `SELECT count(*)::int AS left FROM pg_stat_activity
                 WHERE datname = current_database() AND query LIKE 'LISTEN%'`;
  const connections = async () => (await database.sql(left))[0]?.['left'];
  await until('no listening connection', connections, { isFit: (count) => count === 0 });
  const heard = wakes.count();
  await wakeSmsSenders(database.db);
  expect(wakes.count()).toBe(heard);
});

test('behind a pooler in transaction mode it says that nothing would be heard', async () => {
  const db = createDb({ url: database.url, pooler: true });
  expect(() => listenForSms(db, () => undefined)).toThrow(
    expect.objectContaining({ code: 'pooler_cannot_listen' }),
  );
  await db.close();
});

test('a wake-up that nobody heard loses nothing: the next claim has the message', async () => {
  const id = await queueOne(database.db);
  const { messages } = await claim(database.db);
  expect(messages.map((message) => message.id)).toContain(id);
});
