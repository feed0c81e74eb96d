import { expect, test } from 'vitest';
import { transaction } from '../connection/transaction.ts';
import { recordDeposit, recordDeposits } from '../deposits/record-deposits.ts';
import { openTestDb } from '../testing/database/test-db.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { claimWebhookDeliveries, finishWebhookDelivery, findDueWebhooks } from './webhook-outbox.ts';
import { registerWebhook } from './webhooks.ts';

const ENDPOINT = {
  url: 'https://app.example.com/',
  events: ['deposit.suspense'],
  sealedSecret: Buffer.from('sealed'),
  by: 'tests',
} as const;

const lost = () => sampleDeposit({ receipt: newReceipt(), account: 'NOBODY' });

test('an event is there exactly if its money is', async () => {
  await using database = await openTestDb();
  const { db, sql } = database;
  await recordDeposit(db, lost());
  await registerWebhook(db, ENDPOINT);
  const stop = new Error('stop');
  const undone = transaction(db, async (tx) => {
    await recordDeposit(tx, lost());
    throw stop;
  });
  await expect(undone).rejects.toBe(stop);
  expect(await findDueWebhooks(db)).toEqual([]);
  const { receipt } = lost();
  await recordDeposit(db, { ...lost(), receipt });
  expect(await sql(`SELECT data ->> 'receipt' AS receipt FROM services.webhook_events`)).toEqual([
    { receipt },
  ]);
});

test('many who claim at once get each delivery once, and get what the dead had when its lease is over', async () => {
  await using database = await openTestDb();
  const { db } = database;
  const webhook = await registerWebhook(db, ENDPOINT);
  await recordDeposits(db, Array.from({ length: 60 }, lost));
  const claim = (leaseMs: number) =>
    claimWebhookDeliveries(db, { webhook, limit: 10, leaseMs, mostAttempts: 3 });
  const claimed = (await Promise.all(Array.from({ length: 8 }, () => claim(600_000)))).flat();
  const rest = [...claimed, ...(await claim(600_000)), ...(await claim(600_000))];
  expect(rest).toHaveLength(60);
  expect(new Set(rest.map(({ id }) => id)).size).toBe(60);

  const [first] = rest;
  if (first === undefined) throw new Error('none');
  await finishWebhookDelivery(db, { ...first, statusCode: 503, reason: 'http_503', dueMs: 0 });
  const [second] = await claim(0);
  expect(second).toEqual({ ...first, attempt: 2 });
  // Its sender died; the lease is over.
  expect(await claim(600_000)).toEqual([{ ...first, attempt: 3 }]);
});
