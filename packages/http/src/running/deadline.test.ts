import { expect, test } from 'vitest';
import { DeadlineError, within } from './deadline.ts';

test('work that ends in time gives its result', async () => {
  await expect(within(60_000, Promise.resolve(7))).resolves.toBe(7);
});

test('work that fails gives its own error', async () => {
  await expect(within(60_000, Promise.reject(new RangeError('own')))).rejects.toThrow(RangeError);
});

test('work that never ends is given up', async () => {
  await expect(within(1, new Promise(() => {}))).rejects.toThrow(DeadlineError);
});
