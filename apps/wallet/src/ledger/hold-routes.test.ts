import { randomUUID } from 'node:crypto';
import type { Db } from '@repo/db';
import { until } from '@repo/testing/until';
import { expect, test } from 'vitest';
import {
  addFeeRule,
  balanceOf,
  openCustomer,
  posting,
  startTestService,
  useTestService,
} from '../testing.ts';
import type { TestService } from '../testing.ts';

const service = useTestService();

async function place(of: TestService, body: unknown): Promise<string> {
  const { status, body: placed } = await of.ask('/holds', posting(body));
  expect(status).toBe(201);
  return String(placed['id']);
}

test('a hold keeps money from being spent, and a repeat with its key answers the same with 200', async () => {
  const wallet = await openCustomer(service.db, '100.00');
  const request = posting({ wallet, amount: '60', expiresAt: '2099-01-01T00:00:00Z', narrative: 'Fuel' });
  const first = await service.ask('/holds', request);
  expect(first.status).toBe(201);
  expect(first.body).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    wallet,
    amount: '60.00',
    feeHeld: '0.00',
    captured: '0.00',
    status: 'active',
    captureReference: null,
    expiresAt: '2099-01-01T00:00:00.000Z',
    available: '40.00',
    createdAt: expect.stringMatching(/Z$/) as string,
  });
  const again = await service.ask('/holds', request);
  expect([again.status, again.body]).toEqual([200, first.body]);
  const refused = await service.ask(
    '/transfers',
    posting({ from: wallet, to: await openCustomer(service.db), amount: '40.01' }),
  );
  expect(refused.body['code']).toBe('insufficient_funds');
});

test('part of a hold is paid out, and the rest is free again', async () => {
  const wallet = await openCustomer(service.db, '100.00');
  const to = await openCustomer(service.db);
  const id = await place(service, { wallet, amount: '60.00' });
  const request = posting({ to, amount: '45.00' });
  const captured = await service.ask(`/holds/${id}/capture`, request);
  expect(captured.status).toBe(201);
  expect(captured.body).toMatchObject({
    reference: expect.stringMatching(/^DF-/) as string,
    from: wallet,
    to,
    amount: '45.00',
    balanceAfter: '55.00',
    hold: { id, status: 'captured', amount: '60.00', captured: '45.00', available: '55.00' },
  });
  const again = await service.ask(`/holds/${id}/capture`, request);
  expect([again.status, again.body]).toEqual([200, captured.body]);
  expect(await balanceOf(service, to)).toBe('45.00');
});

test('a payout leaves through the float', async () => {
  const wallet = await openCustomer(service.db, '100.00');
  const id = await place(service, { wallet, amount: '60.00' });
  const paid = await service.ask(`/holds/${id}/capture`, posting({ to: 'MPESA-FLOAT' }));
  expect(paid.body).toMatchObject({ type: 'withdrawal', amount: '60.00', balanceAfter: '40.00' });
});

test('giving up a hold frees the money once, and a repeat gets the same answer', async () => {
  const wallet = await openCustomer(service.db, '100.00');
  const id = await place(service, { wallet, amount: '60.00' });
  const first = await service.ask(`/holds/${id}`, { method: 'DELETE' });
  const again = await service.ask(`/holds/${id}`, { method: 'DELETE' });
  expect([first.status, again.status]).toEqual([200, 200]);
  expect(first.body).toMatchObject({ id, status: 'released', available: '100.00' });
  expect(again.body).toEqual(first.body);
});

test('a repeat gets the first answer, and the hold is shown as it is now', async () => {
  const wallet = await openCustomer(service.db, '100.00');
  const placing = posting({ wallet, amount: '60.00' });
  const placed = await service.ask('/holds', placing);
  const id = String(placed.body['id']);
  expect(await service.ask(`/holds/${id}`)).toMatchObject({ status: 200, body: placed.body });

  const capturing = posting({ to: 'MPESA-FLOAT', amount: '45.00' });
  const captured = await service.ask(`/holds/${id}/capture`, capturing);
  await place(service, { wallet, amount: '5.00' });
  for (const [path, request, first] of [
    ['/holds', placing, placed],
    [`/holds/${id}/capture`, capturing, captured],
  ] as const) {
    const again = await service.ask(path, request);
    expect([again.status, again.body]).toEqual([200, first.body]);
  }
  const now = await service.ask(`/holds/${id}`);
  expect(now.body).toEqual({
    ...placed.body,
    status: 'captured',
    captured: '45.00',
    captureReference: captured.body['reference'],
    available: '50.00',
  });
});

test('a hold is shown to callers who may read, and an unknown hold is not found', async () => {
  const wallet = await openCustomer(service.db, '100.00');
  const id = await place(service, { wallet, amount: '60.00' });
  const made = await service.ask('/api-keys', { method: 'POST', body: { name: 'till', scopes: ['read'] } });
  const key = String(made.body['key']);
  expect((await service.fetch(`/holds/${id}`, { key })).status).toBe(200);
  expect((await service.fetch(`/holds/${id}`, { key: null })).status).toBe(401);
  expect((await service.fetch(`/holds/${id}`, { key, method: 'DELETE' })).status).toBe(403);
  for (const unknown of [randomUUID(), 'hold-1', '%00']) {
    const answer = await service.ask(`/holds/${unknown}`);
    expect([answer.status, answer.body['code']]).toEqual([404, 'unknown_hold']);
  }
});

test('holds that many callers ask for while one is under way go in one round trip', async () => {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  let roundTrips = 0;
  const gated = (db: Db): Db => ({
    ...db,
    run: async (statement, values) => {
      if (statement.text.includes('core.run_operations(')) {
        roundTrips += 1;
        await opened;
      }
      return db.run(statement, values);
    },
  });
  await using own = await startTestService({}, gated);
  const wallet = await openCustomer(own.db, '100.00');
  const asked = Array.from({ length: 30 }, () => own.ask('/holds', posting({ wallet, amount: '1.00' })));
  const waiting = async () => (await own.fetch('/metrics')).text();
  const depth = 'wallet_operation_queue_depth{service="wallet"}';
  await until('thirty holds in the queue', waiting, {
    isFit: (metrics) => metrics.includes(`${depth} 30\n`),
    show: (metrics) => metrics.split('\n').find((line) => line.startsWith(depth)),
  });
  open();
  const answers = await Promise.all(asked);
  expect(answers.map(({ status }) => status)).toEqual(Array<number>(30).fill(201));
  // Those who came first, and all the others.
  expect(roundTrips).toBeLessThanOrEqual(2);
  expect((await own.ask(`/wallets/${wallet}/balance`)).body['held']).toBe('30.00');
});

test.each([
  ['insufficient_funds', { amount: '100.01' }],
  ['invalid_amount', { amount: '0.00' }],
  ['invalid_amount', { amount: 5 }],
  ['unknown_wallet', { wallet: '1000000000' }],
  ['unknown_wallet', { wallet: 'MPESA-FLOAT' }],
  ['invalid_request', { expiresAt: 'tomorrow' }],
  ['expiry_passed', { expiresAt: '2026-01-01T00:00:00Z' }],
  ['invalid_request', { expires: '2099-01-01T00:00:00Z' }],
])('a hold is refused with 422 %s', async (code, change) => {
  const wallet = await openCustomer(service.db, '100.00');
  const answer = await service.ask('/holds', posting({ wallet, amount: '1.00', ...change }));
  expect([answer.status, answer.body['code']]).toEqual([422, code]);
});

test('frozen and closed wallets hold nothing', async () => {
  const [frozen, closed] = [await openCustomer(service.db, '5.00'), await openCustomer(service.db)];
  const change = (path: string) => service.ask(path, { method: 'POST', body: { reason: 'asked for' } });
  await change(`/wallets/${frozen}/freeze`);
  await change(`/wallets/${closed}/close`);
  const codeOf = async (wallet: string) =>
    (await service.ask('/holds', posting({ wallet, amount: '1.00' }))).body['code'];
  expect([await codeOf(frozen), await codeOf(closed)]).toEqual(['wallet_frozen', 'wallet_closed']);
});

test('what a hold does not allow is refused and changes nothing', async () => {
  const wallet = await openCustomer(service.db, '100.00');
  const to = await openCustomer(service.db);
  const id = await place(service, { wallet, amount: '60.00' });
  const capture = async (hold: string, body: unknown, key?: string) => {
    const answer = await service.ask(`/holds/${hold}/capture`, posting(body, key));
    return [answer.status, answer.body['code']];
  };
  expect(await capture(id, { to, amount: '60.01' })).toEqual([422, 'exceeds_hold']);
  expect(await capture(id, { to: '1000000000' })).toEqual([422, 'unknown_wallet']);
  expect(await capture(id, { to, amount: '0' })).toEqual([422, 'invalid_amount']);
  expect(await capture(id, { to: wallet })).toEqual([422, 'same_wallet']);
  expect(await capture(randomUUID(), { to })).toEqual([404, 'unknown_hold']);
  expect(await capture('hold-1', { to })).toEqual([404, 'unknown_hold']);
  expect((await service.ask('/holds/hold-1', { method: 'DELETE' })).status).toBe(404);
  expect((await service.ask(`/holds/${id}/capture`, { method: 'POST', body: { to } })).body['code']).toBe(
    'idempotency_key_required',
  );
  const key = randomUUID();
  expect((await capture(id, { to }, key))[0]).toBe(201);
  expect(await capture(id, { to, amount: '1.00' }, key)).toEqual([409, 'key_reused']);
  expect(await capture(id, { to })).toEqual([409, 'hold_closed']);
  const released = await service.ask(`/holds/${id}`, { method: 'DELETE' });
  expect([released.status, released.body['code']]).toEqual([409, 'hold_closed']);
});

test('when a capture and a release race, one wins and the other is refused', async () => {
  const wallet = await openCustomer(service.db, '100.00');
  const to = await openCustomer(service.db);
  let paid = 0;
  for (let round = 0; round < 10; round += 1) {
    const id = await place(service, { wallet, amount: '1.00' });
    const [captured, released] = await Promise.all([
      service.ask(`/holds/${id}/capture`, posting({ to })),
      service.ask(`/holds/${id}`, { method: 'DELETE' }),
    ]);
    const statuses = [captured.status, released.status];
    expect([
      [201, 409],
      [409, 200],
    ]).toContainEqual(statuses);
    if (captured.status === 201) paid += 1;
  }
  expect(await balanceOf(service, to)).toBe(`${String(paid)}.00`);
  expect((await service.ask(`/wallets/${wallet}/balance`)).body['held']).toBe('0.00');
});

test('one key that is used at the same time for holds in many wallets serves one of them, and refuses the others', async () => {
  const wallets = await Promise.all(Array.from({ length: 8 }, () => openCustomer(service.db, '10.00')));
  const key = randomUUID();
  const answers = await Promise.all(
    wallets.map((wallet) => service.ask('/holds', posting({ wallet, amount: '1.00' }, key))),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(answers.filter(({ body }) => body['code'] === 'key_reused')).toHaveLength(7);
});

test('a hold shows the fee that it reserves, and one whose fee does not fit is refused with these words', async () => {
  await addFeeRule(service, 'WITHDRAWAL');
  const wallet = await openCustomer(service.db, '100.00');
  const refused = await service.ask('/holds', posting({ wallet, amount: '97.01' }));
  expect([refused.status, refused.body['code']]).toEqual([422, 'insufficient_funds']);
  expect(refused.body['detail']).toContain('the fee that its capture may take');
  const placed = await service.ask('/holds', posting({ wallet, amount: '97.00' }));
  expect(placed.body).toMatchObject({ amount: '97.00', feeHeld: '3.00', available: '0.00' });
  const path = `/holds/${String(placed.body['id'])}`;
  expect((await service.ask(path)).body).toMatchObject({ feeHeld: '3.00' });
  const captured = await service.ask(`${path}/capture`, posting({ to: 'MPESA-FLOAT' }));
  expect(captured.body).toMatchObject({ amount: '97.00', fee: '3.00', balanceAfter: '0.00' });
});
