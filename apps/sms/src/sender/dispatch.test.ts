import type { ClaimedSms } from '@repo/db';
import { startAfricasTalking } from '@repo/simulator';
import { fastify } from 'fastify';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { openProvider } from '../testing.ts';
import { createDispatch } from './dispatch.ts';
import type { DispatchOptions } from './dispatch.ts';
import { createSenderMetrics } from './sender-metrics.ts';

const MESSAGE: ClaimedSms = {
  id: '018f0000-0000-7000-8000-000000000001',
  attempt: 1,
  recipient: '254700000126',
  recipientHash: null,
  message: 'Hello',
  template: 'message',
  language: 'en',
  priority: 0,
  transactionReference: null,
  createdAt: new Date(0),
};

function dispatchTo(url: string, changes: Partial<DispatchOptions> = {}) {
  const metrics = createSenderMetrics(new Registry());
  return createDispatch({
    provider: openProvider(url),
    metrics,
    log: fastify().log,
    concurrency: 2,
    freshMs: 60_000,
    circuit: { failures: 1, firstPauseMs: 60_000 },
    ...changes,
  });
}

test('what was claimed while the provider went down is not sent to it, and is surely unsent', async () => {
  const dispatch = dispatchTo('http://127.0.0.1:9');
  const first = await dispatch.send(MESSAGE, performance.now());
  expect(first.answer).toMatchObject({ kind: 'retry', scope: 'provider', code: 'not_connected' });
  expect([dispatch.circuit, dispatch.freeSlots]).toEqual(['open', 0]);
  const second = await dispatch.send(MESSAGE, performance.now());
  expect(second.answer).toMatchObject({ kind: 'retry', code: 'cancelled' });
  expect(dispatch.waitMs).toBeGreaterThan(0);
});

test('what was claimed so long ago that its lease could end before the answer is not sent', async () => {
  await using simulator = await startAfricasTalking({ reportUrl: null });
  const dispatch = dispatchTo(simulator.url, { freshMs: 1_000 });
  const late = await dispatch.send(MESSAGE, performance.now() - 1_001);
  expect(late.answer).toMatchObject({ kind: 'retry', scope: 'message', code: 'cancelled' });
  expect(simulator.book().requests).toBe(0);
  const fresh = await dispatch.send(MESSAGE, performance.now());
  expect(fresh.answer.kind).toBe('accepted');
});

test('a request under way takes a slot until its answer is there', async () => {
  await using simulator = await startAfricasTalking({ reportUrl: null, delayMs: 100 });
  const dispatch = dispatchTo(simulator.url);
  const sending = [dispatch.send(MESSAGE, performance.now()), dispatch.send(MESSAGE, performance.now())];
  expect([dispatch.requests, dispatch.freeSlots, dispatch.waitMs]).toEqual([2, 0, null]);
  await Promise.all(sending);
  expect([dispatch.requests, dispatch.freeSlots]).toEqual([0, 2]);
});
