import { expect, test } from 'vitest';
import { createDepositIntake } from '../deposits/deposit-intake.ts';
import { createSmsWaker } from './waker.ts';
import { listenForSms } from './sms-listener.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { connect, openTestDb, useTestDb } from '../testing/database/test-db.ts';
import { openCustomer } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();

test('senders that listen hear of a deposit that the intake has recorded', async () => {
  const account = await openCustomer(database.db);
  let waiting = Promise.withResolvers<undefined>();
  const listener = listenForSms(database.db, () => waiting.resolve(undefined));
  await listener.ready;
  waiting = Promise.withResolvers();
  const intake = createDepositIntake(database.db);
  await intake.record(sampleDeposit({ account }));
  await waiting.promise;
  await intake.close();
  await listener.close();
});

test('wake-ups during a pause go out together, at the latest when it closes', async () => {
  await using own = await openTestDb();
  const listening = await connect(own.url);
  const heard: string[] = [];
  listening.on('notification', ({ channel }) => heard.push(channel));
  await listening.query('LISTEN daftari_sms');
  const waker = createSmsWaker(own.db);
  for (let deposit = 0; deposit < 50; deposit += 1) waker.wake();
  await waker.close();
  // Notifications come before the answer to what is asked after they were sent.
  await listening.query('SELECT 1');
  await listening.end();
  expect(heard).toEqual(['daftari_sms', 'daftari_sms']);
});

test('a wake-up that the database does not take harms nobody', async () => {
  const own = await openTestDb();
  await own.db.close();
  const waker = createSmsWaker(own.db);
  waker.wake();
  await expect(waker.close()).resolves.toBeUndefined();
  await own[Symbol.asyncDispose]();
});
