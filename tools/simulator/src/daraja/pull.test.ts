import { expect, test } from 'vitest';
import type { DarajaSimulator } from './server.ts';
import { ask, startForTest } from './testing.ts';

interface Row {
  readonly transactionId: string;
  readonly trxDate: string;
  readonly amount: string;
  readonly msisdn: number;
}

const REGISTRATION = {
  ShortCode: '600100',
  RequestType: 'Pull',
  NominatedNumber: '0700000126',
  CallBackURL: 'http://127.0.0.1:1/pulled',
};

function pull(daraja: DarajaSimulator, changes: Readonly<Record<string, unknown>> = {}) {
  return ask(daraja, '/pulltransactions/v1/query', {
    ShortCode: '600100',
    StartDate: '2026-11-25 00:00:00',
    EndDate: '2026-11-27 23:59:59',
    OffSetValue: '0',
    ...changes,
  });
}

async function start(now: () => Date): Promise<DarajaSimulator> {
  const daraja = await startForTest({ now });
  await ask(daraja, '/pulltransactions/v1/register', REGISTRATION);
  return daraja;
}

function rowsOf({ body }: { body: Record<string, unknown> }): Row[] {
  const [rows] = body['Response'] as [Row[]];
  return rows;
}

const NOON = new Date('2026-11-27T09:00:00Z');

test('payments are pulled page by page, an array inside an array, and then there are none', async () => {
  const daraja = await start(() => NOON);
  for (let count = 1; count <= 150; count += 1) await daraja.pay({ account: '1', amount: String(count) });
  await daraja.sweep();
  const first = await pull(daraja);
  expect(first.body).toMatchObject({ ResponseCode: '1000' });
  const rows = [...rowsOf(first), ...rowsOf(await pull(daraja, { OffSetValue: 100 }))];
  const paid = daraja.book().payments.filter(({ kind }) => kind === 'c2b');
  expect(rowsOf(first)).toHaveLength(100);
  expect(rows.map(({ transactionId, amount }) => [transactionId, amount])).toEqual(
    paid.map(({ receipt, amount }) => [receipt, amount]),
  );
  expect(await pull(daraja, { OffSetValue: '150' })).toMatchObject({
    body: { ResponseCode: '1001', Response: [[]] },
  });
});

test('only the last 48 hours can be pulled', async () => {
  let now = new Date('2026-11-25T08:59:59Z');
  const daraja = await start(() => now);
  await daraja.pay({ account: '1', amount: '1' });
  now = new Date('2026-11-25T09:00:00Z');
  await daraja.pay({ account: '1', amount: '2' });
  now = NOON;
  expect(rowsOf(await pull(daraja)).map(({ amount }) => amount)).toEqual(['2.00']);
});

test('the bounds are times of Nairobi, and the times of rows are of either clock', async () => {
  const daraja = await start(() => NOON);
  await daraja.pay({ account: '1', amount: '1' });
  expect(rowsOf(await pull(daraja, { StartDate: '2026-11-27 12:00:01' }))).toEqual([]);
  const until = { StartDate: '2026-11-27 12:00:00', EndDate: '2026-11-27 12:00:00' };
  expect(rowsOf(await pull(daraja, until))).toMatchObject([{ trxDate: '2026-11-27T09:00:00Z' }]);
  daraja.configure({ pullClock: 'eat' });
  expect(rowsOf(await pull(daraja, until))).toMatchObject([{ trxDate: '2026-11-27T12:00:00Z' }]);
});

test('a short code is registered once, and nothing is pulled before', async () => {
  const daraja = await startForTest({ now: () => NOON });
  expect((await pull(daraja)).status).toBe(400);
  const register = () => ask(daraja, '/pulltransactions/v1/register', REGISTRATION);
  expect(await register()).toMatchObject({ body: { ResponseStatus: '1000' } });
  expect(await register()).toMatchObject({ body: { ResponseStatus: '1001' } });
  expect((await pull(daraja, { StartDate: '27-11-2026' })).status).toBe(400);
  expect((await pull(daraja, { EndDate: '2026-11-24 00:00:00' })).status).toBe(400);
});
