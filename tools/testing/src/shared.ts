import { afterAll, beforeAll } from 'vitest';

/**
 * One thing for all tests of a file: opened before the first, closed after the last. Tests share it, and so look at what
 * is their own only. One that changes it for others, or counts all there is, opens its own.
 */
export function shared<T extends AsyncDisposable>(open: () => Promise<T>): T {
  let opened: T | null = null;
  beforeAll(async () => {
    opened = await open();
  });
  afterAll(async () => {
    await opened?.[Symbol.asyncDispose]();
    opened = null;
  });
  return new Proxy({} as T, {
    get: (_, name) => {
      if (opened === null) throw new Error('what the tests of a file share is there once they run');
      return Reflect.get(opened, name) as unknown;
    },
  });
}
