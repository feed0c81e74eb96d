import { startDatabaseProxy } from '@repo/postgres/proxy';
import { beforeEach, expect, test } from 'vitest';
import { createDb } from '../connection/db.ts';
import { findSms } from './messages.ts';
import { createSmsSettler } from './settler.ts';
import { accepted, claim, drain, queueOne } from '../testing/sms/messages.ts';
import { useTestDb, valueOf } from '../testing/database/test-db.ts';

const database = useTestDb();
const { sql } = database;

beforeEach(() => drain(sql));

async function claimMany(count: number) {
  await Promise.all(Array.from({ length: count }, () => queueOne(database.db)));
  return (await claim(database.db, { limit: count })).messages;
}

test('settlements that come together are recorded in a few round trips, each with its own result', async () => {
  const messages = await claimMany(50);
  let calls = 0;
  const counting = {
    ...database.db,
    run: (...call: Parameters<typeof database.db.run>) => {
      calls += 1;
      return database.db.run(...call);
    },
  };
  const settler = createSmsSettler(counting);
  const results = await Promise.all(messages.map((message) => settler.settle(accepted(message))));
  expect(results.map(({ id, result }) => [id, result])).toEqual(messages.map(({ id }) => [id, 'settled']));
  expect(calls).toBeLessThan(5);
  expect(settler.depth).toBe(0);
});

test('one that no column can hold fails alone, never its neighbours', async () => {
  const [bad, ...good] = await claimMany(10);
  if (bad === undefined) throw new Error('nothing was claimed');
  const settler = createSmsSettler(database.db);
  const work = good.map((message) => settler.settle(accepted(message)));
  const refused = await settler.settle(accepted(bad, { parts: 99_999 }));
  expect(refused).toMatchObject({ result: 'invalid', field: 'parts' });
  for (const { result } of await Promise.all(work)) expect(result).toBe('settled');
  expect(await findSms(database.db, bad.id)).toMatchObject({ phase: 'SENDING' });
});

test('retried after a lost connection, an answer is recorded and charged once', async () => {
  const [message] = await claimMany(1);
  if (message === undefined) throw new Error('nothing was claimed');
  await using proxy = await startDatabaseProxy(database.url);
  const db = createDb({ url: proxy.url });
  const settler = createSmsSettler(db);
  const settlement = accepted(message);
  const spent = () => valueOf(sql, `SELECT coalesce(sum(cost), 0)::text FROM services.sms_spend`);
  const before = Number(await spent());
  proxy.cut();
  await expect(settler.settle(settlement)).rejects.toMatchObject({ code: expect.any(String) as string });
  proxy.restore();
  await settler.settle(settlement);
  expect(await settler.settle(settlement)).toMatchObject({ result: 'ignored', status: 'SENT' });
  expect(Number(await spent()) - before).toBeCloseTo(0.8, 6);
  await settler.close();
  await db.close();
});
