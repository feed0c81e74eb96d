import { createApiKey, queueSms } from '@repo/db';
import { expect, test } from 'vitest';
import {
  isDone,
  isUnknown,
  newNumber,
  openProvider,
  startTestService,
  TEST_TOKEN,
  untilSms,
  useTestService,
} from '../testing.ts';
import type { TestService } from '../testing.ts';

const service = useTestService();

/** A message whose answer never came, and the provider's id of it. */
async function leaveUnknown(of: TestService) {
  of.simulator.configure({ behaviour: () => ({ kind: 'accept', answer: 'dropped' }) });
  of.send({ provider: openProvider(of.simulator.url) });
  const recipient = newNumber();
  const { id } = await queueSms(of.db, { recipient, message: 'Hello' });
  await untilSms(of, id, isUnknown);
  of.simulator.configure({ behaviour: () => ({ kind: 'accept' }) });
  return { id, recipient, providerMessageId: of.simulator.messages()[0]?.id ?? '' };
}

interface TestDecision {
  readonly decision?: string;
  readonly note?: string;
  readonly providerMessageId?: string;
  readonly cost?: unknown;
  /** Default: the configured one. */
  readonly key?: string;
}

function decide(of: TestService, id: string, { key, ...body }: TestDecision) {
  const request = { method: 'POST', body, ...(key === undefined ? {} : { key }) } as const;
  return of.ask(`/messages/${id}/decision`, request);
}

test('what may or may not have been sent is on the list, with the reports that may be about it', async () => {
  const { id, recipient, providerMessageId } = await leaveUnknown(service);
  await service.fetch(`/delivery-reports/${TEST_TOKEN}`, {
    method: 'POST',
    body: `phoneNumber=%2B${recipient}&id=${providerMessageId}&status=Success`,
  });
  const { status, body } = await service.ask('/messages?status=unknown');
  expect(status).toBe(200);
  expect(body['items']).toMatchObject([
    {
      id,
      recipient,
      message: 'Hello',
      phase: 'unknown',
      suggestions: [{ providerMessageId, status: 'Success' }],
    },
  ]);
});

test('a person decides that it was sent, by the books of the provider; the key is named and the report joins', async () => {
  const { id, recipient, providerMessageId } = await leaveUnknown(service);
  await service.fetch(`/delivery-reports/${TEST_TOKEN}`, {
    method: 'POST',
    body: `phoneNumber=%2B${recipient}&id=${providerMessageId}&status=Success`,
  });
  const { key } = await createApiKey(service.db, { name: 'Wanjiru', scopes: ['admin', 'read'] });
  const cost = { amount: '0.8000', currency: 'KES', parts: 1 };
  const decision = { decision: 'sent', note: 'in the dashboard', providerMessageId, cost, key };
  const { status, body } = await decide(service, id, decision);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    status: 'sent',
    decidedBy: 'Wanjiru',
    providerMessageId,
    cost: '0.8000',
    deliveryStatus: 'Success',
  });
  const shown = await service.ask(`/messages/${id}`, { key });
  expect(shown.body).toMatchObject({
    decisionNote: 'in the dashboard',
    history: [{ kind: 'unknown' }, { kind: 'decided', actor: 'Wanjiru', detail: 'sent: in the dashboard' }],
  });
});

test('a person has it sent again, and only then does it reach the provider twice', async () => {
  await using own = await startTestService();
  const { id } = await leaveUnknown(own);
  expect((await decide(own, id, { decision: 'send_again', note: 'nobody got it' })).status).toBe(200);
  const sms = await untilSms(own, id, isDone);
  expect(sms).toMatchObject({ status: 'SENT', attempts: 2, decidedBy: 'configured-1' });
  expect(own.simulator.book()).toMatchObject({ accepted: 2, duplicates: 1 });
});

test('a person gives it up', async () => {
  await using own = await startTestService();
  const { id } = await leaveUnknown(own);
  const { body } = await decide(own, id, { decision: 'failed', note: 'not worth it' });
  expect(body).toMatchObject({ status: 'failed', errorCode: 'given_up' });
  expect((await own.ask('/messages?status=unknown')).body).toEqual({ items: [], nextCursor: null });
});

test('what is decided is not decided again, and what is not there cannot be', async () => {
  const { id } = await leaveUnknown(service);
  const decision = { decision: 'failed', note: 'not worth it' };
  await decide(service, id, decision);
  const again = await decide(service, id, { ...decision, decision: 'send_again' });
  expect([again.status, again.body['code']]).toEqual([409, 'nothing_to_decide']);
  const unknown = await decide(service, '018f0000-0000-7000-8000-000000000001', decision);
  expect([unknown.status, unknown.body['code']]).toEqual([404, 'unknown_sms']);
});

test.each([
  ['without a note', { decision: 'sent' }],
  ['of another kind', { decision: 'maybe', note: 'x' }],
  ['with a cost that is a number', { decision: 'sent', note: 'x', cost: { amount: 0.8, currency: 'KES' } }],
])('a decision %s is refused', async (_what, body) => {
  const { status } = await decide(service, '018f0000-0000-7000-8000-000000000001', body);
  expect(status).toBe(422);
});

test('only an administrator decides', async () => {
  const { key } = await createApiKey(service.db, { name: 'shop', scopes: ['read', 'transact'] });
  const id = '018f0000-0000-7000-8000-000000000001';
  expect((await decide(service, id, { decision: 'sent', note: 'x', key })).status).toBe(403);
});
