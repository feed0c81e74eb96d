import { claimSms, findSms, listUnknownSms, queueSms, recordOptOut, smsSpend } from '@repo/db';
import type { NewSms, Sms } from '@repo/db';
import { behaviourByNumber } from '@repo/simulator';
import { until } from '@repo/testing/until';
import { expect, test } from 'vitest';
import {
  isDone,
  isUnknown,
  newNumber,
  openProvider,
  startTestService,
  untilAccepted,
  untilMetric,
  untilSms,
} from '../testing.ts';
import type { TestService } from '../testing.ts';

async function queue({ db }: Pick<TestService, 'db'>, ending?: string, sms: Partial<NewSms> = {}) {
  const { id } = await queueSms(db, {
    recipient: newNumber(ending),
    message: 'KES 100.00 received.',
    ...sms,
  });
  return id;
}

const wasRetried = (sms: Sms) => sms.attempts > 1;

test('a queued message leaves once, and its row has the id, the cost and the parts of the answer', async () => {
  await using service = await startTestService();
  service.send();
  const id = await queue(service);
  const sms = await untilSms(service, id, isDone);
  const [booked, ...others] = service.simulator.messages();
  expect(others).toEqual([]);
  expect(sms).toMatchObject({
    status: 'SENT',
    attempts: 1,
    provider: 'africas-talking',
    providerMessageId: booked?.id,
    cost: '0.8000',
    currency: 'KES',
    expectedParts: 1,
    encoding: 'GSM-7',
    errorCode: null,
  });
});

test('a text with a curly quote leaves and is kept as GSM-7, and the parts are counted before', async () => {
  await using service = await startTestService();
  service.send();
  const id = await queue(service, undefined, { message: `\u201c${'a'.repeat(100)}\u201d` });
  const sms = await untilSms(service, id, isDone);
  expect(sms).toMatchObject({ message: `"${'a'.repeat(100)}"`, encoding: 'GSM-7', expectedParts: 1 });
  expect(service.simulator.messages()).toMatchObject([{ text: `"${'a'.repeat(100)}"`, parts: 1 }]);
});

test('several senders side by side send each message once', async () => {
  await using service = await startTestService();
  const ids = await Promise.all(Array.from({ length: 200 }, () => queue(service)));
  for (let i = 0; i < 4; i += 1) service.send();
  for (const id of ids) await untilSms(service, id, isDone);
  expect(service.simulator.book()).toMatchObject({ accepted: 200, duplicates: 0, requests: 200 });
  const [{ senders = 0 } = {}] = await service.query(
    'SELECT count(DISTINCT claimed_by)::int AS senders FROM services.sms_logs',
  );
  expect(senders).toBeGreaterThan(1);
});

test('a hash goes out as a hash, and a masked number never does', async () => {
  await using service = await startTestService();
  service.send();
  const hashed = await queue(service, undefined, { recipient: 'c'.repeat(64) });
  const masked = await queue(service, undefined, { recipient: '2547 ***** 126' });
  expect(await untilSms(service, hashed, isDone)).toMatchObject({ status: 'SENT', recipient: null });
  expect(await findSms(service.db, masked)).toMatchObject({ status: 'FAILED', errorCode: 'masked_number' });
  expect(service.simulator.messages()).toMatchObject([{ recipient: 'c'.repeat(64) }]);
});

test.each([
  ['a number that cannot be texted', '9403', 'invalid_number'],
  ['a customer who has opted out at the provider', '9406', 'blacklisted'],
  ['a customer who wants not to be disturbed', '9409', 'do_not_disturb'],
])('%s fails at once, with the reason', async (_what, ending, errorCode) => {
  await using service = await startTestService();
  service.simulator.configure({ behaviour: behaviourByNumber });
  service.send();
  const sms = await untilSms(service, await queue(service, ending), isDone);
  expect(sms).toMatchObject({ status: 'FAILED', attempts: 1, errorCode, cost: '0.0000' });
});

test('a message that found no route is tried again and again, and fails when its attempts are used up', async () => {
  await using service = await startTestService();
  service.simulator.configure({ behaviour: () => ({ kind: 'refuse', code: 407 }) });
  service.send();
  const sms = await untilSms(service, await queue(service), isDone);
  expect(sms).toMatchObject({ status: 'FAILED', attempts: 4, errorCode: 'attempts_exhausted' });
  expect(service.simulator.book().requests).toBe(4);
});

test.each([
  ['answers nothing', 'never', 'timeout'],
  ['accepts and drops the connection', 'dropped', 'connection_lost'],
  ['accepts and sends half an answer', 'cut', 'connection_lost'],
  ['accepts and fails', 'failed', 'server_error'],
] as const)(
  'when the provider %s the outcome is unknown, and the message is never sent again by itself',
  async (_what, answer, errorCode) => {
    await using service = await startTestService();
    service.simulator.configure({ behaviour: () => ({ kind: 'accept', answer }) });
    service.send({ provider: openProvider(service.simulator.url, 3_000) });
    const id = await queue(service);
    expect(await untilSms(service, id, isUnknown)).toMatchObject({ status: 'PENDING', errorCode });
    // The sender goes on to send what comes later, and leaves this one alone.
    service.simulator.configure({ behaviour: () => ({ kind: 'accept' }) });
    const later = await queue(service);
    await untilSms(service, later, isDone);
    expect(await findSms(service.db, id)).toMatchObject({ phase: 'UNKNOWN', attempts: 1 });
    expect(service.simulator.book()).toMatchObject({ accepted: 2, duplicates: 0 });
  },
);

test('a connection that is reset before the answer leaves the outcome unknown', async () => {
  await using service = await startTestService();
  service.simulator.configure({ behaviour: () => ({ kind: 'reset' }) });
  service.send();
  const sms = await untilSms(service, await queue(service), isUnknown);
  expect(sms).toMatchObject({ errorCode: 'connection_lost', attempts: 1 });
  expect(service.simulator.book()).toMatchObject({ accepted: 0, requests: 1 });
});

test('while the provider is down the circuit is open and hardly anything is tried; then all goes out', async () => {
  await using service = await startTestService();
  // A port that nobody listens on: nothing can have left.
  service.send({ provider: openProvider('http://127.0.0.1:9') });
  const ids = await Promise.all(Array.from({ length: 40 }, () => queue(service)));
  await untilMetric(service, 'sms_circuit_opened_total{service="sms"}', (count) => count >= 3);
  expect(service.lines.join('')).toContain('nothing is sent for now');
  const [{ unknown = null } = {}] = await service.query(
    `SELECT count(*)::int AS unknown FROM services.sms_logs WHERE phase = 'UNKNOWN'`,
  );
  expect(unknown).toBe(0);
  service.send();
  for (const id of ids) expect(await untilSms(service, id, isDone)).toMatchObject({ status: 'SENT' });
  expect(service.simulator.book()).toMatchObject({ accepted: 40, duplicates: 0 });
});

test('a provider that stops answering costs a few messages their certainty, and not the whole queue', async () => {
  await using service = await startTestService();
  service.simulator.configure({ behaviour: () => ({ kind: 'accept', answer: 'failed' }) });
  const ids = await Promise.all(Array.from({ length: 60 }, () => queue(service)));
  service.send({ concurrency: 4 });
  await untilMetric(service, 'sms_circuit_opened_total{service="sms"}', (count) => count >= 2);
  service.simulator.configure({ behaviour: () => ({ kind: 'accept' }) });
  const settled = (sms: Sms) => isDone(sms) || isUnknown(sms);
  const ends = [];
  for (const id of ids) ends.push(await untilSms(service, id, settled));
  const unknown = ends.filter(isUnknown);
  expect(unknown.length).toBeGreaterThan(0);
  expect(unknown.length).toBeLessThan(20);
  expect(service.simulator.book()).toMatchObject({ accepted: 60, duplicates: 0 });
});

test.each([
  ['asks for fewer requests', { kind: 'http', status: 429, retryAfter: '1' }, 'throttled'],
  [
    'does not accept the key',
    { kind: 'http', status: 401, body: 'The supplied authentication is invalid' },
    'authentication',
  ],
  ['does not know the sender', { kind: 'refuse-request', word: 'InvalidSenderId' }, 'invalid_sender'],
  ['has no money left', { kind: 'refuse', code: 405 }, 'insufficient_balance'],
] as const)(
  'when the provider %s messages wait, and go out when that is over',
  async (_what, behaviour, code) => {
    await using service = await startTestService();
    service.simulator.configure({ behaviour: () => behaviour });
    service.send({ circuit: { failures: 1, firstPauseMs: 10, longestPauseMs: 20 } });
    const id = await queue(service);
    const waiting = await untilSms(service, id, (sms) => sms.errorCode === code);
    expect(waiting.status).toBe('PENDING');
    service.simulator.configure({ behaviour: () => ({ kind: 'accept' }) });
    expect(await untilSms(service, id, isDone)).toMatchObject({ status: 'SENT', errorCode: null });
    expect(service.simulator.book()).toMatchObject({ accepted: 1, duplicates: 0 });
  },
);

test('what is too old to be news is not sent, and neither is what its customer wants not', async () => {
  await using service = await startTestService();
  const old = await queue(service);
  await service.query(
    `SELECT set_config('daftari.door', 'open', true);
     UPDATE services.sms_logs SET created_at = created_at - interval '2 hours'`,
  );
  const number = newNumber();
  await recordOptOut(service.db, { number });
  const unwanted = await queue(service, undefined, { recipient: number, priority: 1 });
  const important = await queue(service, undefined, { recipient: number });
  service.send();
  expect(await untilSms(service, old, isDone)).toMatchObject({ status: 'FAILED', errorCode: 'expired' });
  expect(await untilSms(service, unwanted, isDone)).toMatchObject({
    status: 'FAILED',
    errorCode: 'opted_out',
  });
  expect(await untilSms(service, important, isDone)).toMatchObject({ status: 'SENT' });
  expect(service.simulator.book().accepted).toBe(1);
  expect(await service.metric('sms_dropped_total{service="sms"}')).toBe(2);
});

test("when the day's budget is nearly spent the log warns once; when it is, the unimportant waits and money does not", async () => {
  await using service = await startTestService();
  service.send({ concurrency: 1, budget: { amount: '4.0000', currency: 'KES' } });
  const unimportant = { priority: 1 } as const;
  for (let sent = 0; sent < 5; sent += 1) await untilSms(service, await queue(service), isDone);
  const waiting = await queue(service, undefined, unimportant);
  const important = await queue(service);
  expect(await untilSms(service, important, isDone)).toMatchObject({ status: 'SENT' });
  expect(await findSms(service.db, waiting)).toMatchObject({ phase: 'QUEUED', attempts: 0 });
  expect(await smsSpend(service.db)).toMatchObject([{ cost: '4.8000', currency: 'KES' }]);
  expect(await service.metric('sms_budget_paused{service="sms"}')).toBe(1);
  const log = service.lines.join('');
  expect(log.match(/four fifths of the day's budget/g)).toHaveLength(1);
  expect(log.match(/budget for SMS is spent/g)).toHaveLength(1);
  expect((await service.fetch('/health/ready')).status).toBe(200);
});

test('a wake-up that is lost delays a message and does not lose it', async () => {
  await using service = await startTestService();
  service.send();
  // A listener that begins to listen looks around as well; that must be over.
  const listening = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN daftari_sms'`;
  await until('a connection that listens', () => service.query(listening), {
    isFit: (rows) => rows.length > 0,
  });
  await untilSms(service, await queue(service), isDone);
  // Written past queueSms, so nobody is woken.
  const [{ id = '' } = {}] = await service.query(
    `INSERT INTO services.sms_logs (recipient, message, status) VALUES ('254711999888', 'Hello', 'PENDING') RETURNING id::text`,
  );
  expect(await untilSms(service, id as string, isDone)).toMatchObject({ status: 'SENT' });
});

test('a wake-up is enough where nobody polls', async () => {
  await using service = await startTestService();
  service.send({ pollMs: 3_600_000 });
  await untilSms(service, await queue(service), isDone);
  const later = await queue(service);
  expect(await untilSms(service, later, isDone)).toMatchObject({ status: 'SENT' });
});

test('a graceful stop lets the requests under way finish and records them', async () => {
  await using service = await startTestService();
  service.simulator.configure({ delayMs: 300 });
  const sending = service.send({ concurrency: 4 });
  const ids = await Promise.all(Array.from({ length: 20 }, () => queue(service)));
  await until('four requests', () => service.simulator.book().requests, { isFit: (count) => count >= 4 });
  await sending.stop();
  const ends = await Promise.all(ids.map((id) => findSms(service.db, id)));
  const sent = ends.filter((sms) => sms?.status === 'SENT');
  expect(sent).toHaveLength(service.simulator.book().accepted);
  expect(sent.length).toBeGreaterThanOrEqual(4);
  expect(ends.filter((sms) => sms?.phase === 'QUEUED')).toHaveLength(20 - sent.length);
});

test('what a stop gives up on is of unknown outcome and on the list for people', async () => {
  await using service = await startTestService();
  service.simulator.configure({ behaviour: () => ({ kind: 'accept', answer: 'never' }) });
  const sending = service.send();
  const id = await queue(service);
  await untilAccepted(service, 1);
  await sending.stop(0);
  expect(await findSms(service.db, id)).toMatchObject({ phase: 'UNKNOWN', errorCode: 'abandoned' });
  expect((await listUnknownSms(service.db)).messages).toHaveLength(1);
});

test('an answer that comes after the lease is over still completes its message', async () => {
  await using service = await startTestService();
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  service.simulator.configure({ gate });
  service.send({ leaseMs: 4_000, timeoutMs: 1_000, provider: openProvider(service.simulator.url) });
  const id = await queue(service);
  await untilSms(service, id, isUnknown);
  open();
  expect(await untilSms(service, id, isDone)).toMatchObject({ status: 'SENT', cost: '0.8000', attempts: 1 });
  // The row is there before the process that wrote it has counted it.
  await untilMetric(service, 'sms_settlements_total{result="late",service="sms"}', (count) => count === 1);
  expect(service.simulator.book().accepted).toBe(1);
});

test('what another process claimed and left is declared unknown when its lease is over', async () => {
  await using service = await startTestService();
  const id = await queue(service);
  const gone = { sender: 'gone', provider: 'africas-talking', limit: 1, leaseMs: 1, maxAgeMs: 60_000 };
  expect((await claimSms(service.db, gone)).messages).toHaveLength(1);
  service.send({ leaseMs: 400, timeoutMs: 300 });
  expect(await untilSms(service, id, isUnknown)).toMatchObject({
    errorCode: 'lease_over',
    claimedBy: 'gone',
  });
  expect(service.simulator.book().requests).toBe(0);
});

test('no line of the log holds a number or a text', async () => {
  await using service = await startTestService();
  service.simulator.configure({ behaviour: behaviourByNumber });
  service.send({ provider: openProvider(service.simulator.url, 200) });
  const texts = { message: 'Atieno, KES 100.00 received.' };
  const ids = [];
  for (const ending of ['0001', '9403', '8001', '8003']) ids.push(await queue(service, ending, texts));
  for (const id of ids)
    await untilSms(service, id, (sms) => isDone(sms) || isUnknown(sms) || wasRetried(sms));
  const rows = await service.query('SELECT recipient FROM services.sms_logs');
  const log = service.lines.join('');
  expect(log).not.toContain('Atieno');
  for (const { recipient } of rows) expect(log).not.toContain(String(recipient).slice(3));
});
