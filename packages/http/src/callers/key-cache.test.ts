import { expect, test } from 'vitest';
import type { Caller } from './api-key.ts';
import { createKeyCache } from './key-cache.ts';

/** A store of keys that counts how often it was asked, and a clock that the test moves. */
function openStore(keys: Record<string, Caller>) {
  const store = { keys: new Map(Object.entries(keys)), asked: 0, time: 0 };
  const find = (key: string) => {
    store.asked += 1;
    return Promise.resolve(store.keys.get(key) ?? null);
  };
  return { store, find, now: () => store.time };
}

const TILL: Caller = { id: 'till', scopes: ['transact'] };
const APP: Caller = { id: 'app', scopes: ['read'] };

test('a found key is asked for once while it is believed, and again afterwards', async () => {
  const { store, find, now } = openStore({ 'key-1': TILL });
  const cache = createKeyCache(find, { ttlMs: 1_000, now });
  expect(await cache.find('key-1')).toEqual(TILL);
  store.time = 999;
  expect(await cache.find('key-1')).toEqual(TILL);
  expect(store.asked).toBe(1);
  store.time = 1_000;
  store.keys.delete('key-1');
  expect(await cache.find('key-1')).toBeNull();
});

test('an unknown key works as soon as it exists', async () => {
  const { store, find, now } = openStore({});
  const cache = createKeyCache(find, { ttlMs: 1_000, now });
  expect(await cache.find('key-1')).toBeNull();
  store.keys.set('key-1', TILL);
  expect(await cache.find('key-1')).toEqual(TILL);
});

test('a key that is forgotten stops working at once, also when it was just being looked up', async () => {
  const { promise, resolve } = Promise.withResolvers<Caller>();
  const cache = createKeyCache((key) => (key === 'key-1' ? promise : Promise.resolve(APP)), {
    ttlMs: 1_000,
    now: () => 0,
  });
  expect(await cache.find('key-2')).toEqual(APP);
  const finding = cache.find('key-1');
  cache.forget('till');
  resolve(TILL);
  expect(await finding).toBeNull();
  expect(await cache.find('key-2')).toEqual(APP);
  cache.forget('app');
  expect(await cache.find('key-2')).toBeNull();
});

test('a full cache drops the key that it has had longest', async () => {
  const { store, find, now } = openStore({ 'key-1': TILL, 'key-2': APP });
  const cache = createKeyCache(find, { ttlMs: 1_000, maxKeys: 1, now });
  await cache.find('key-1');
  await cache.find('key-2');
  await cache.find('key-2');
  expect(store.asked).toBe(2);
  await cache.find('key-1');
  expect(store.asked).toBe(3);
});

test('a store that cannot be asked is not remembered as an unknown key', async () => {
  let isAway = true;
  const find = () => (isAway ? Promise.reject(new Error('away')) : Promise.resolve(TILL));
  const cache = createKeyCache(find, { ttlMs: 1_000 });
  await expect(cache.find('key-1')).rejects.toThrow('away');
  isAway = false;
  expect(await cache.find('key-1')).toEqual(TILL);
});
