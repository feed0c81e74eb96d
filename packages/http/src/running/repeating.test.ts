import { expect, test } from 'vitest';
import { startRepeating } from './repeating.ts';

test('rounds follow each other, and never two at once', async () => {
  let underWay = 0;
  let most = 0;
  let rounds = 0;
  const enough = Promise.withResolvers<undefined>();
  const repeating = startRepeating(
    async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise(setImmediate);
      underWay -= 1;
      rounds += 1;
      if (rounds === 5) enough.resolve(undefined);
    },
    { pauseMs: 0, startsNow: true },
  );
  await enough.promise;
  await repeating.stop();
  expect(most).toBe(1);
});

test('stopping waits for the round under way, signals it, and lets no other begin', async () => {
  const begun = Promise.withResolvers<AbortSignal>();
  const mayEnd = Promise.withResolvers<undefined>();
  let rounds = 0;
  let isStopped = false;
  const repeating = startRepeating(
    async (signal) => {
      rounds += 1;
      begun.resolve(signal);
      await mayEnd.promise;
    },
    { pauseMs: 0, startsNow: true },
  );
  const signal = await begun.promise;
  const stop = async () => {
    await repeating.stop();
    isStopped = true;
  };
  const stopping = stop();
  expect(signal.aborted).toBe(true);
  await new Promise(setImmediate);
  expect(isStopped).toBe(false);
  mayEnd.resolve(undefined);
  await stopping;
  expect(rounds).toBe(1);
});

test('what is stopped before its first round never begins', async () => {
  let rounds = 0;
  const repeating = startRepeating(
    () => {
      rounds += 1;
      return Promise.resolve();
    },
    { pauseMs: 0 },
  );
  await repeating.stop();
  // A timer of a later moment fires after every one that was still due.
  await new Promise((resolve) => setTimeout(resolve, 1));
  expect(rounds).toBe(0);
});
