import {
  confirmationOf,
  createPayment,
  createRandom,
  sendConfirmation,
  sendTogether,
  sendValidation,
  validationOf,
} from '@repo/simulator';
import { until } from '@repo/testing/until';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { getDeposit, openCustomerWallet, startTestService, TEST_KEY } from './testing.ts';
import type { TestService } from './testing.ts';

const MOST_CALLBACKS = 8;
const MOST_WAITING = 2;
const CONNECTIONS = 4;

const random = createRandom('overload.test');

/** Keeps all who write callbacks waiting, as a slow database does, until the test lets them go. */
async function holdDatabase(service: TestService): Promise<() => Promise<void>> {
  const holder = new Client({ connectionString: service.database.url });
  await holder.connect();
  // Where a test fails the database is dropped under it.
  holder.on('error', () => {});
  await holder.query('BEGIN; LOCK TABLE services.mpesa_callbacks, core.wallets IN ACCESS EXCLUSIVE MODE');
  return async () => {
    await holder.query('COMMIT');
    await holder.end();
  };
}

async function metricsOf({ url }: TestService): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${TEST_KEY}` } });
  const lines = (await response.text()).split('\n');
  return new Map(
    lines.flatMap((line) => {
      const [, name = '', value] = /^(\w+(?:\{[^}]*\})?) (\S+)$/.exec(line) ?? [];
      return value === undefined ? [] : [[name.replace(/\{service="mpesa"\}/, ''), Number(value)] as const];
    }),
  );
}

const SMALL = { maxCallbacks: MOST_CALLBACKS };

test('callbacks beyond what the service holds wait, and each is credited once', async () => {
  await using service = await startTestService(SMALL, { maxConnections: CONNECTIONS });
  const wallet = await openCustomerWallet(service.db);
  const messages = Array.from({ length: 60 }, () =>
    confirmationOf(createPayment(random, { account: wallet })),
  );
  const release = await holdDatabase(service);
  const sending = sendTogether([service.target], messages);
  const waiting = () => metricsOf(service).then((metrics) => metrics.get('http_callbacks_waiting'));
  const all = { isFit: (count: number | undefined) => count === messages.length - MOST_CALLBACKS };
  await until('all the others waiting', waiting, all);
  const held = await metricsOf(service);
  expect(held.get('mpesa_intake_queue_depth')).toBe(MOST_CALLBACKS);
  expect((await fetch(`${service.url}/health/live`)).status).toBe(200);

  await release();
  const answers = await sending;
  expect(answers.filter(({ accepted }) => accepted)).toHaveLength(messages.length);
  const after = await metricsOf(service);
  expect([after.get('http_callbacks_waiting'), after.get('mpesa_intake_queue_depth')]).toEqual([0, 0]);
  const credited = "SELECT count(*)::int AS rows FROM services.mpesa_logs WHERE outcome = 'CREDITED'";
  expect(await service.database.query(credited)).toEqual([{ rows: messages.length }]);
  // And sent again they move nothing.
  await sendTogether([service.target], messages.slice(0, 10));
  expect(await service.database.query(credited)).toEqual([{ rows: messages.length }]);
});

test('callbacks that each need a connection wait for it, while other callers are refused at once', async () => {
  await using service = await startTestService(SMALL, {
    maxConnections: CONNECTIONS,
    maxWaiting: MOST_WAITING,
  });
  const release = await holdDatabase(service);
  const validations = Array.from({ length: CONNECTIONS + MOST_CALLBACKS }, () =>
    sendValidation(service.target, validationOf(createPayment(random))),
  );
  await until('as many waiting as may', () => service.db.waiting >= MOST_WAITING);

  const refused = await getDeposit(service, 'TESTREFUSED1');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  expect(await refused.json()).toMatchObject({ code: 'overloaded', type: '/problems/overloaded' });
  const counted = (await metricsOf(service)).get(
    'http_overload_refusals_total{code="pool_exhausted",service="mpesa"}',
  );
  expect(counted).toBe(1);

  await release();
  const answers = await Promise.all(validations);
  expect(answers.filter(({ accepted }) => accepted)).toHaveLength(validations.length);
  expect((await getDeposit(service, 'TESTREFUSED1')).status).toBe(404);
  const stored = "SELECT count(*)::int AS rows FROM services.mpesa_callbacks WHERE outcome = 'VALIDATED'";
  expect(await service.database.query(stored)).toEqual([{ rows: validations.length }]);
});

test('a payment whose sender gave up while it waited is credited all the same', async () => {
  await using service = await startTestService({ maxCallbacks: 1 }, { maxConnections: CONNECTIONS });
  const wallet = await openCustomerWallet(service.db);
  const [first, second] = [0, 1].map(() => confirmationOf(createPayment(random, { account: wallet })));
  if (first === undefined || second === undefined) throw new Error('there are no payments');
  const release = await holdDatabase(service);
  const firstAnswer = sendConfirmation(service.target, first);
  await until('the first at work', async () => (await metricsOf(service)).get('mpesa_intake_queue_depth'), {
    isFit: (depth) => depth === 1,
  });
  const giveUp = new AbortController();
  const gone = fetch(`${service.url}/c2b/${service.target.token}/confirmation`, {
    method: 'POST',
    body: JSON.stringify(second),
    signal: giveUp.signal,
  }).catch(() => 'gone');
  await until('the second waiting', async () => (await metricsOf(service)).get('http_callbacks_waiting'), {
    isFit: (count) => count === 1,
  });
  giveUp.abort();
  expect(await gone).toBe('gone');
  await release();
  expect((await firstAnswer).accepted).toBe(true);
  const receipt = second.TransID;
  await until('the second credited', () => getDeposit(service, receipt), {
    isFit: ({ status }) => status === 200,
    show: ({ status }) => status,
  });
});
