import { expect, test } from 'vitest';
import { retry } from './retry.ts';

/** Fails so many times, then answers which call it was. */
function failing(times: number): { work: () => Promise<number>; calls: () => number } {
  let calls = 0;
  const work = (): Promise<number> => {
    calls += 1;
    return calls <= times ? Promise.reject(new Error(`failure ${calls}`)) : Promise.resolve(calls);
  };
  return { work, calls: () => calls };
}

test('what works at once is done once', async () => {
  const { work, calls } = failing(0);
  await retry(work, () => true);
  expect(calls()).toBe(1);
});

test('what fails is tried again, up to five times', async () => {
  const { work } = failing(4);
  expect(await retry(work, () => true)).toBe(5);
});

test('after five failures the last one is thrown', async () => {
  const { work, calls } = failing(9);
  await expect(retry(work, () => true)).rejects.toThrow('failure 5');
  expect(calls()).toBe(5);
});

test('what is not worth it is not tried again', async () => {
  const { work, calls } = failing(9);
  await expect(retry(work, () => false)).rejects.toThrow('failure 1');
  expect(calls()).toBe(1);
});
