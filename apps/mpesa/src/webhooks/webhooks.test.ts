import { randomUUID } from 'node:crypto';
import { confirmationOf, createPayment, createRandom, sendConfirmation } from '@repo/simulator';
import { describe, expect, test } from 'vitest';
import { openCustomerWallet, startTestService, TEST_KEY } from '../testing.ts';
import type { TestService } from '../testing.ts';
import { ask, register, startReceiver, untilDeliveries, verifyMessage, WEBHOOKS } from './testing.ts';

const random = createRandom('webhooks.test');

const start = () => startTestService({ webhooks: WEBHOOKS });

async function pay({ target }: TestService, account: string, amount = '150.00') {
  const payment = createPayment(random, { account, amount, phone: '254700000126' });
  await sendConfirmation(target, confirmationOf(payment, 'plain'));
  return payment;
}

const DEPOSITS = [
  'deposit.credited',
  'deposit.suspense',
  'deposit.held',
  'deposit.conflict',
  'deposit.refused',
];

describe('an endpoint', () => {
  test('gets a signed event of a deposit once, with nothing that identifies the payer', async () => {
    await using receiver = await startReceiver();
    await using service = await start();
    const { id, secret } = await register(service, receiver.url, DEPOSITS);
    const wallet = await openCustomerWallet(service.db);
    const { receipt } = await pay(service, wallet);
    const [message] = await receiver.untilCame(1);
    if (message === undefined) throw new Error('none came');
    const event = verifyMessage(message, secret);
    expect(event).toMatchObject({
      type: 'deposit.credited',
      data: { receipt, outcome: 'credited', amount: '150.00', currency: 'KES', wallet, reference: receipt },
    });
    expect(new Date(String(event?.['timestamp'])).toISOString()).toBe(event?.['timestamp']);
    expect(Object.keys(event?.['data'] as object).toSorted()).toEqual([
      'amount',
      'currency',
      'outcome',
      'paidAt',
      'reason',
      'receipt',
      'recordedAt',
      'reference',
      'shortCode',
      'wallet',
    ]);
    expect(message.body).not.toContain('700000126');
    const [delivery] = await untilDeliveries(service, '', ([each]) => each?.['status'] === 'delivered');
    expect(delivery).toMatchObject({ eventId: message.id, webhookId: id, attempts: 1, statusCode: 204 });
    expect(receiver.messages).toHaveLength(1);
  });

  test('refuses what another secret signed, what was changed on the way, and what is replayed too late', async () => {
    await using receiver = await startReceiver();
    await using service = await start();
    const { secret } = await register(service, receiver.url, DEPOSITS);
    await pay(service, await openCustomerWallet(service.db));
    const [message] = await receiver.untilCame(1);
    if (message === undefined) throw new Error('none came');
    const now = Date.now() / 1_000;
    expect(verifyMessage(message, secret)).not.toBeNull();
    expect(verifyMessage(message, `whsec_${Buffer.alloc(32).toString('base64')}`)).toBeNull();
    expect(verifyMessage({ ...message, body: message.body.replace('150.00', '950.00') }, secret)).toBeNull();
    expect(verifyMessage(message, secret, now + 3_600)).toBeNull();
    const moved = {
      ...message,
      headers: { ...message.headers, 'webhook-timestamp': String(Math.floor(now) + 3_600) },
    };
    expect(verifyMessage(moved, secret, now + 3_600)).toBeNull();
  });

  test('gets one event for each thing that a payment became, and none for a duplicate', async () => {
    await using receiver = await startReceiver();
    await using service = await startTestService({ webhooks: WEBHOOKS, maxAmount: '1000000.00' });
    await register(service, receiver.url, DEPOSITS);
    const wallet = await openCustomerWallet(service.db);
    const credited = await pay(service, wallet);
    await sendConfirmation(service.target, confirmationOf(credited, 'plain'));
    const lost = await pay(service, 'NOBODY');
    const held = await pay(service, wallet, '20000000.00');
    const conflict = { ...credited, amount: '151.00' };
    await sendConfirmation(service.target, confirmationOf(conflict, 'plain'));
    const released = await fetch(`${service.url}/deposits/${held.receipt}/release`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${TEST_KEY}`,
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
      },
      body: JSON.stringify({ reason: 'A real payment' }),
    });
    expect(released.status).toBe(200);
    const messages = await receiver.untilCame(5);
    const told = messages.map(({ body }) => {
      const { type, data } = JSON.parse(body) as { type: string; data: Record<string, unknown> };
      return [type, data['receipt'], data['wallet'], data['amount'], data['reason']];
    });
    expect(told).toHaveLength(5);
    expect(told).toEqual(
      expect.arrayContaining([
        ['deposit.credited', credited.receipt, wallet, '150.00', null],
        ['deposit.suspense', lost.receipt, null, '150.00', expect.any(String)],
        ['deposit.held', held.receipt, null, '20000000.00', 'above_limit'],
        ['deposit.conflict', credited.receipt, null, '151.00', null],
        ['deposit.credited', held.receipt, wallet, '20000000.00', null],
      ]),
    );
  });

  test('gets the types that it wants only, and nothing once it is disabled', async () => {
    await using suspense = await startReceiver();
    await using all = await startReceiver();
    await using service = await start();
    await register(service, suspense.url, ['deposit.suspense']);
    const { id } = await register(service, all.url, DEPOSITS);
    await pay(service, await openCustomerWallet(service.db));
    await all.untilCame(1);
    expect((await ask(service, `DELETE /webhooks/${id}`)).status).toBe(204);
    expect((await ask(service, `DELETE /webhooks/${id}`)).status).toBe(204);
    await pay(service, 'NOBODY');
    await suspense.untilCame(1);
    const types = suspense.messages.map(({ body }) => (JSON.parse(body) as { type: string }).type);
    expect(types).toEqual(['deposit.suspense']);
    expect(all.messages).toHaveLength(1);
    expect(
      await service.database.query('SELECT count(*)::int AS n FROM services.webhook_deliveries'),
    ).toEqual([{ n: 2 }]);
  });
});

describe('a delivery', () => {
  test('is repeated with the same id and body until it is answered with 2xx; a redirect is not followed', async () => {
    const answers = [500, 302, 200];
    await using receiver = await startReceiver((before) => answers[before] ?? 204);
    await using service = await start();
    const { secret } = await register(service, receiver.url, DEPOSITS);
    await pay(service, await openCustomerWallet(service.db));
    const messages = await receiver.untilCame(3);
    expect(new Set(messages.map(({ id }) => id)).size).toBe(1);
    expect(new Set(messages.map(({ body }) => body)).size).toBe(1);
    expect(messages.map((each) => verifyMessage(each, secret)?.['type'])).toEqual(
      Array.from({ length: 3 }, () => 'deposit.credited'),
    );
    await untilDeliveries(service, '?status=delivered', (items) => items.length === 1);
  });

  test('fails after its last attempt; a person resends it as it was', async () => {
    let isDown = true;
    await using receiver = await startReceiver(() => (isDown ? 503 : 200));
    await using service = await start();
    await register(service, receiver.url, DEPOSITS);
    await pay(service, await openCustomerWallet(service.db));
    const [failed] = await untilDeliveries(service, '?status=failed', (items) => items.length === 1);
    expect(failed).toMatchObject({ attempts: 4, statusCode: 503, reason: 'http_503', dueAt: null });
    isDown = false;
    expect((await ask(service, `POST /webhook-deliveries/${String(failed?.['id'])}/resend`)).status).toBe(
      202,
    );
    await untilDeliveries(service, '?status=delivered&event=deposit.credited', (items) => items.length === 1);
    expect(new Set(receiver.messages.map(({ id, body }) => id + body)).size).toBe(1);
    expect(receiver.messages).toHaveLength(5);
    const csv = await fetch(`${service.url}/webhook-deliveries`, {
      headers: { authorization: `Bearer ${TEST_KEY}`, accept: 'text/csv' },
    });
    expect(await csv.text()).toMatch(/^id,eventId,webhookId,event,status,attempts.*\r\n[0-9a-f-]{36},/);
  });

  test('to an endpoint that answers 410 is the last one, and nothing can be resent to it', async () => {
    await using receiver = await startReceiver(() => 410);
    await using service = await start();
    const { id } = await register(service, receiver.url, DEPOSITS);
    await pay(service, await openCustomerWallet(service.db));
    const [failed] = await untilDeliveries(service, '?status=failed', (items) => items.length === 1);
    expect(failed).toMatchObject({ attempts: 1, reason: 'http_410' });
    const listed = await until410(service);
    expect(listed).toMatchObject({ id, status: 'disabled', disabledFor: 'gone' });
    const resent = await ask(service, `POST /webhook-deliveries/${String(failed?.['id'])}/resend`);
    expect([resent.status, resent.body['code']]).toEqual([409, 'webhook_disabled']);
    expect((await ask(service, `POST /webhook-deliveries/${id}/resend`)).status).toBe(404);
  });

  test('that is not answered in time keeps nobody else waiting', async () => {
    await using silent = await startReceiver(() => null);
    await using prompt = await startReceiver();
    await using service = await startTestService({
      webhooks: { ...WEBHOOKS, timings: { pauseMs: 10, delaysMs: [], timeoutMs: 1_000 } },
    });
    const { id } = await register(service, silent.url, DEPOSITS);
    await register(service, prompt.url, DEPOSITS);
    const wallet = await openCustomerWallet(service.db);
    await pay(service, wallet);
    await silent.untilCame(1);
    await pay(service, wallet);
    await prompt.untilCame(2);
    const lost = await untilDeliveries(
      service,
      `?status=failed&webhook=${id}`,
      (items) => items.length === 2,
    );
    expect(lost.map(({ reason, statusCode }) => [reason, statusCode])).toEqual([
      ['timeout', null],
      ['timeout', null],
    ]);
  });
});

async function until410(service: TestService): Promise<unknown> {
  await expect
    .poll(async () => (await ask(service, 'GET /webhooks')).body['items'], { timeout: 60_000 })
    .toMatchObject([{ status: 'disabled' }]);
  const { body } = await ask(service, 'GET /webhooks');
  return (body['items'] as unknown[])[0];
}

describe('registering', () => {
  test('shows the secret once, keeps it sealed, and takes an address once', async () => {
    await using service = await start();
    const { secret } = await register(service, 'https://app.example.com/hooks', ['payment.paid']);
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(JSON.stringify(await ask(service, 'GET /webhooks'))).not.toContain(secret);
    const [row] = await service.database.query(
      `SELECT encode(secret, 'escape') AS secret FROM services.webhooks`,
    );
    expect(String(row?.['secret'])).not.toContain(secret.slice(6, 20));
    const again = await ask(service, 'POST /webhooks', {
      url: 'https://app.example.com/hooks',
      events: ['payment.paid'],
    });
    expect([again.status, again.body['code']]).toEqual([409, 'webhook_exists']);
    expect(service.lines.join('')).not.toContain(secret);
  });

  test('refuses addresses that production must not call, and is off without a key', async () => {
    await using service = await startTestService({ webhooks: { ...WEBHOOKS, isPublicOnly: true } });
    const statusOf = async (url: string) =>
      (await ask(service, 'POST /webhooks', { url, events: ['payment.paid'] })).status;
    for (const url of [
      'http://app.example.com/',
      'https://127.0.0.1/',
      'https://169.254.169.254/latest',
      'https://[::1]/',
      'https://[::ffff:10.0.0.1]/',
      'https://localhost/',
      'https://user:word@app.example.com/',
      'ftp://app.example.com/',
      'app',
    ]) {
      expect([url, await statusOf(url)]).toEqual([url, 422]);
    }
    expect(await statusOf('https://app.example.com/')).toBe(201);
    await using off = await startTestService();
    const { status, body } = await ask(off, 'POST /webhooks', {
      url: 'https://a.example.com/',
      events: ['payment.paid'],
    });
    expect([status, body['code']]).toEqual([503, 'webhooks_not_configured']);
  });
});
