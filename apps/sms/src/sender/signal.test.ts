import { expect, test } from 'vitest';
import { createSignal } from './signal.ts';

test('an announcement while nobody waits reaches the next one who does', async () => {
  const signal = createSignal();
  signal.set();
  await signal.wait(null);
  const order: string[] = [];
  const waiting = signal.wait(null).then(() => order.push('heard'));
  await Promise.resolve();
  order.push('announced');
  signal.set();
  await waiting;
  expect(order).toEqual(['announced', 'heard']);
});

test('without an announcement the wait ends when its time is over, however long that is', async () => {
  const [short, long] = [createSignal(), createSignal()];
  let hasEnded = false;
  // More than a timer can take: it would fire at once.
  const waiting = long.wait(10_000_000_000).then(() => (hasEnded = true));
  await short.wait(20);
  expect(hasEnded).toBe(false);
  long.set();
  await waiting;
});
