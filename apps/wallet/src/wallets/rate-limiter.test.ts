import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRateLimiter } from './rate-limiter.ts';

const steps = fc.array(fc.record({ pauseMs: fc.nat(20_000), key: fc.constantFrom('till', 'app') }), {
  maxLength: 200,
});

test('whatever the pace, a key gets at most one bucket and what has flowed in since', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), steps, (perMinute, requests) => {
      const clock = { now: 0 };
      const limiter = createRateLimiter({ perMinute, now: () => clock.now });
      const granted = new Map<string, number>();
      for (const { pauseMs, key } of requests) {
        clock.now += pauseMs;
        if (limiter.waitMs(key) > 0) continue;
        limiter.spend(key);
        const count = (granted.get(key) ?? 0) + 1;
        granted.set(key, count);
        expect(count).toBeLessThanOrEqual(perMinute + (clock.now * perMinute) / 60_000 + 1e-6);
      }
    }),
  );
});

test('after the wait that it names a key may go on, and not before', () => {
  const perMinute = fc.integer({ min: 1, max: 1_000_000 });
  fc.assert(
    fc.property(perMinute, fc.integer({ min: 1, max: 20 }), (rate, debt) => {
      const clock = { now: 0 };
      const limiter = createRateLimiter({ perMinute: rate, now: () => clock.now });
      for (let spent = 0; spent < rate + debt && spent < 500; spent += 1) limiter.spend('till');
      const wait = limiter.waitMs('till');
      fc.pre(wait > 0);
      clock.now = wait * 0.999;
      expect(limiter.waitMs('till')).toBeGreaterThan(0);
      clock.now = Math.ceil(wait) + 1;
      expect(limiter.waitMs('till')).toBe(0);
    }),
  );
});

test('one key in debt does not hold up another', () => {
  const limiter = createRateLimiter({ perMinute: 1, now: () => 0 });
  limiter.spend('till');
  limiter.spend('till');
  expect(limiter.waitMs('till')).toBe(120_000);
  expect(limiter.waitMs('app')).toBe(0);
});
