import {
  confirmationOf,
  createPayment,
  createRandom,
  sendConfirmation,
  sendRaw,
  sendStorm,
  sendValidation,
  validationOf,
} from '@repo/simulator';
import { until } from '@repo/testing/until';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { openCustomerWallet, startTestService } from './testing.ts';
import type { TestService } from './testing.ts';

const random = createRandom('outage.test');

async function countInbox({ database }: TestService): Promise<unknown> {
  const rows = await database.query('SELECT count(*)::int AS rows FROM services.mpesa_callbacks');
  return rows[0]?.['rows'];
}

test.each([
  ['a payment', JSON.stringify(confirmationOf(createPayment(random)))],
  ['garbage', 'garbage'],
  ['a body that is too large', 'x'.repeat(65_537)],
])('without the database %s is answered 503 and never acknowledged', async (_what, body) => {
  await using service = await startTestService();
  service.network.cut();
  const answer = await sendRaw(service.target, 'confirmation', body);
  expect(answer.status).toBe(503);
  expect(answer.accepted).toBe(false);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'unavailable' });
  expect(await countInbox(service)).toBe(0);
});

test('the refusal says when to come again', async () => {
  await using service = await startTestService();
  service.network.cut();
  const response = await fetch(`${service.url}/c2b/V1StGXR8Z5jdHi6BmyT0kL9w/confirmation`, {
    method: 'POST',
    body: '{}',
  });
  expect(response.status).toBe(503);
  expect(response.headers.get('retry-after')).toBe('5');
});

test('what was refused during an outage is credited once when it is sent again', async () => {
  await using service = await startTestService();
  const account = await openCustomerWallet(service.db);
  const message = confirmationOf(createPayment(random, { account, amount: '75.00' }));
  service.network.cut();
  expect((await sendConfirmation(service.target, message)).status).toBe(503);
  service.network.restore();
  expect((await sendConfirmation(service.target, message)).status).toBe(200);
  expect((await sendConfirmation(service.target, message)).status).toBe(200);
  const rows = await service.database.query(`SELECT balance::text FROM core.wallets WHERE id = '${account}'`);
  expect(rows).toEqual([{ balance: '75.00' }]);
});

test('when the connection breaks in the middle of a storm, what was acknowledged is there and a retry settles the rest', async () => {
  await using service = await startTestService();
  const account = await openCustomerWallet(service.db);
  const messages = Array.from({ length: 60 }, () =>
    confirmationOf(createPayment(random, { account, amount: '1.00' })),
  );
  const first = messages.map((message) => sendConfirmation(service.target, message));
  await first[0];
  service.network.cut();
  const answers = await Promise.all(first);
  const acknowledged = messages
    .filter((_message, at) => answers[at]?.accepted === true)
    .map((message) => message.TransID);
  const list = acknowledged.map((receipt) => `'${receipt}'`).join(',');
  const rows = await service.database.query(
    `SELECT count(*)::int AS rows FROM services.mpesa_logs WHERE mpesa_receipt IN (${list})`,
  );
  expect(rows).toEqual([{ rows: acknowledged.length }]);

  service.network.restore();
  for (const message of messages) {
    const retried = await sendConfirmation(service.target, message);
    expect(retried.status).toBe(200);
  }
  expect(
    await service.database.query(`SELECT balance::text FROM core.wallets WHERE id = '${account}'`),
  ).toEqual([{ balance: '60.00' }]);
});

test('a database that answers and cannot record a deposit still keeps its message, and it is acknowledged', async () => {
  await using service = await startTestService();
  await service.database.query('ALTER FUNCTION services.record_deposits RENAME TO record_deposits_before');
  const message = confirmationOf(createPayment(random));
  expect(await sendConfirmation(service.target, message)).toMatchObject({ status: 200, accepted: true });
  const rows = await service.database.query('SELECT outcome, error FROM services.mpesa_callbacks');
  expect(rows).toEqual([{ outcome: 'FAILED', error: 'schema_outdated' }]);
});

test('a validation is answered without the database, and accepted even when strict', async () => {
  await using service = await startTestService({ validation: 'strict' });
  service.network.cut();
  const answer = await sendValidation(
    service.target,
    validationOf(createPayment(random, { account: 'nobody' })),
  );
  expect(answer).toMatchObject({ status: 200, accepted: true });
});

test('a validation is answered when the database does not answer in time', async () => {
  await using service = await startTestService({ validationDeadlineMs: 50 });
  await using locker = await lockInbox(service);
  const answer = await sendValidation(service.target, validationOf(createPayment(random)));
  expect(answer).toMatchObject({ status: 200, accepted: true });
  await locker.release();
});

test('nothing is acknowledged before it is committed', async () => {
  await using service = await startTestService();
  const account = await openCustomerWallet(service.db);
  await using locker = await lockInbox(service);
  let answered = false;
  const storm = sendStorm([service.target], confirmationOf(createPayment(random, { account })), 3).finally(
    () => {
      answered = true;
    },
  );
  await locker.someoneWaits();
  expect(answered).toBe(false);
  await locker.release();
  expect((await storm).map((answer) => answer.status)).toEqual([200, 200, 200]);
  expect(await countInbox(service)).toBe(3);
});

/** Holds the inbox so that nobody can write to it until it is released. */
async function lockInbox({ database }: TestService) {
  const holder = new Client({ connectionString: database.url });
  await holder.connect();
  await holder.query('BEGIN; LOCK TABLE services.mpesa_callbacks IN EXCLUSIVE MODE');
  return {
    someoneWaits: async () => {
      const waiting = () =>
        database.query(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
        );
      await until('a session that waits for the inbox', waiting, { isFit: (rows) => rows.length > 0 });
    },
    release: () => holder.query('COMMIT'),
    [Symbol.asyncDispose]: () => holder.end(),
  };
}
