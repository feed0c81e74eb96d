import { createApiKey, queueSms } from '@repo/db';
import type { Scope } from '@repo/db';
import { expect, test } from 'vitest';
import { isDone, newNumber, startTestService, TEST_KEY, untilSms, useTestService } from '../testing.ts';
import type { TestService } from '../testing.ts';

const service = useTestService();

async function keyWith({ db }: TestService, ...scopes: Scope[]): Promise<string> {
  const { key } = await createApiKey(db, { name: 'support desk', scopes });
  return key;
}

function post(body: unknown, headers: Record<string, string> = {}) {
  return { method: 'POST', body, headers } as const;
}

test('a message is queued with 202, sent, and shown with what became of it', async () => {
  service.send();
  const recipient = newNumber();
  const { status, body } = await service.ask('/messages', post({ recipient, message: 'Hello' }));
  expect([status, body]).toEqual([202, { id: expect.any(String) as string, status: 'pending' }]);
  const id = String(body['id']);
  await untilSms(service, id, isDone);
  const shown = await service.ask(`/messages/${id}`);
  expect(shown.status).toBe(200);
  expect(shown.body).toMatchObject({
    id,
    recipient,
    message: 'Hello',
    status: 'sent',
    cost: '0.8000',
    currency: 'KES',
    parts: 1,
    expectedParts: 1,
    providerMessageId: service.simulator.messages()[0]?.id,
    errorMessage: null,
    deliveryStatus: null,
    template: 'message',
    priority: 'important',
    history: [],
  });
  expect(Date.parse(String(shown.body['createdAt']))).not.toBeNaN();
});

test('the facts about a message are kept with it', async () => {
  const facts = {
    template: 'campaign-1',
    language: 'sw',
    priority: 'unimportant',
    transactionReference: 'DF-000000000001',
  };
  const message = { recipient: '0711 222 333', message: 'Habari', ...facts };
  const { body } = await service.ask('/messages', post(message));
  const shown = await service.ask(`/messages/${String(body['id'])}`);
  expect(shown.body).toMatchObject({
    recipient: '254711222333',
    message: 'Habari',
    ...facts,
  });
});

test('the same idempotency key queues a message once, also from many at once, and answers the same id', async () => {
  await using own = await startTestService();
  const request = post({ recipient: newNumber(), message: 'Hello' }, { 'idempotency-key': 'order-17' });
  const answers = await Promise.all(Array.from({ length: 10 }, () => own.ask('/messages', request)));
  expect(answers.map(({ status }) => String(status)).toSorted()).toEqual([
    ...Array<string>(9).fill('200'),
    '202',
  ]);
  expect(new Set(answers.map(({ body }) => body['id'])).size).toBe(1);
  expect(await own.query('SELECT count(*)::int AS count FROM services.sms_logs')).toEqual([{ count: 1 }]);
});

test('a repeat is known as one also after its text was rewritten and sent', async () => {
  service.send();
  const request = post({ recipient: newNumber(), message: '\u201cHello\u201d' }, { 'idempotency-key': 'a' });
  const first = await service.ask('/messages', request);
  await untilSms(service, String(first.body['id']), isDone);
  const repeat = await service.ask('/messages', request);
  expect([repeat.status, repeat.body]).toEqual([200, { id: first.body['id'], status: 'sent' }]);
});

test('a key whose message has been sent is refused for another text', async () => {
  await using own = await startTestService();
  own.send();
  const message = { recipient: newNumber(), message: 'Hello' };
  const headers = { 'idempotency-key': 'order-17' };
  const first = await own.ask('/messages', post(message, headers));
  await untilSms(own, String(first.body['id']), isDone);
  const other = await own.ask('/messages', post({ ...message, message: 'Bye' }, headers));
  expect([other.status, other.body['code']]).toEqual([409, 'key_reused']);
  expect((await own.ask('/messages', post(message, headers))).status).toBe(200);
});

test('an idempotency key that comes with another message is refused', async () => {
  const message = { recipient: newNumber(), message: 'Hello' };
  const headers = { 'idempotency-key': 'order-17' };
  await service.ask('/messages', post(message, headers));
  for (const other of [
    { ...message, message: 'Bye' },
    { ...message, recipient: newNumber() },
  ]) {
    const { status, body } = await service.ask('/messages', post(other, headers));
    expect([status, body['code']]).toEqual([409, 'key_reused']);
  }
});

test('a masked number is queued as failed at once, with an explanation', async () => {
  const { status, body } = await service.ask(
    '/messages',
    post({ recipient: '2547 ***** 126', message: 'Hello' }),
  );
  expect([status, body['status']]).toEqual([202, 'failed']);
  const shown = await service.ask(`/messages/${String(body['id'])}`);
  expect(shown.body).toMatchObject({ recipient: null, errorCode: 'masked_number' });
  expect(shown.body['errorMessage']).toContain('masked');
});

test.each([
  ['no recipient', { message: 'Hello' }],
  ['a recipient that is no number', { recipient: 'Atieno', message: 'Hello' }],
  ['no text', { recipient: '254711222333', message: '' }],
  ['a text longer than ten parts', { recipient: '254711222333', message: 'a'.repeat(1_531) }],
  ['half of a character', { recipient: '254711222333', message: '\ud800' }],
  ['NUL in the text', { recipient: '254711222333', message: 'a\0' }],
  ['a field that is not known', { recipient: '254711222333', message: 'Hello', sender: 'me' }],
  ['an invalid template', { recipient: '254711222333', message: 'Hello', template: '=1+1' }],
  ['a language that is not spoken', { recipient: '254711222333', message: 'Hello', language: 'fr' }],
])('%s is refused with 422 as problem details', async (_what, body) => {
  const answer = await service.ask('/messages', post(body));
  expect(answer.status).toBe(422);
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  expect(answer.body).toMatchObject({ code: 'invalid_request', findings: [expect.anything()] });
  expect(JSON.stringify(answer.body)).not.toContain('Atieno');
});

test('a key that may only read sees neither the number nor the text, and queues nothing', async () => {
  const { id } = await queueSms(service.db, { recipient: '254711222333', message: 'Atieno, hello' });
  const key = await keyWith(service, 'read');
  const { status, body } = await service.ask(`/messages/${id}`, { key });
  expect([status, body['recipient']]).toEqual([200, '2547*****333']);
  for (const hidden of ['message', 'history', 'decisionNote']) expect(body).not.toHaveProperty(hidden);
  const refused = await service.ask('/messages', {
    ...post({ recipient: '254711222333', message: 'x' }),
    key,
  });
  expect([refused.status, refused.body['code']]).toEqual([403, 'forbidden']);
  expect((await service.ask('/messages?status=unknown', { key })).status).toBe(403);
});

test('a request without a valid key is refused', async () => {
  const paths = [
    '/messages/018f0000-0000-7000-8000-000000000001',
    '/messages?status=unknown',
    '/reports/cost',
    '/metrics',
  ];
  for (const path of paths) {
    expect((await service.ask(path, { key: null })).status, path).toBe(401);
    expect((await service.ask(path, { key: `${TEST_KEY}x` })).status, path).toBe(401);
  }
});

test.each(['018f0000-0000-7000-8000-000000000001', 'nothing', '%00'])(
  'a message that is not there is a 404: %s',
  async (id) => {
    const { status, body } = await service.ask(`/messages/${id}`);
    expect([status, body['code']]).toEqual([404, 'unknown_sms']);
  },
);

test('while the database is away requests are answered 503 and can be sent again', async () => {
  await using own = await startTestService();
  own.network.cut();
  const request = post({ recipient: newNumber(), message: 'Hello' }, { 'idempotency-key': 'a' });
  const { status, headers, body } = await own.ask('/messages', request);
  expect([status, body['code'], headers.get('retry-after')]).toEqual([503, 'unavailable', '5']);
  own.network.restore();
  expect((await own.ask('/messages', request)).status).toBe(202);
});
