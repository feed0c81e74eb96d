import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMissGate } from './miss-gate.ts';
import { createRateLimiter } from './rate-limiter.ts';

class Miss extends Error {}
class Refused extends Error {}

function openGate(perMinute: number) {
  // A clock that stands still: what is spent does not come back.
  const limiter = createRateLimiter({ perMinute, now: () => 0 });
  return createMissGate({
    limiter,
    isMiss: (error) => error instanceof Miss,
    refuse: () => {
      throw new Refused();
    },
  });
}

/** Work that takes some turns of the event loop, and then is a hit or a miss. */
async function work(isHit: boolean, turns: number): Promise<'hit'> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
  if (!isHit) throw new Miss();
  return 'hit';
}

type Outcome = 'hit' | 'miss' | 'refused';

async function outcomeOf(asked: Promise<'hit'>): Promise<Outcome> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Miss) return 'miss';
    if (error instanceof Refused) return 'refused';
    throw error;
  }
}

test('of many requests that miss at once only as many are let in as one after the other', async () => {
  const gate = openGate(10);
  const asked = Array.from({ length: 1_000 }, () => outcomeOf(gate('a key', () => work(false, 1))));
  const outcomes = await Promise.all(asked);
  expect(outcomes.filter((each) => each === 'miss')).toHaveLength(10);
  expect(outcomes.filter((each) => each === 'refused')).toHaveLength(990);
});

test('requests that miss nothing are never refused, however many come at once', async () => {
  const gate = openGate(10);
  const asked = Array.from({ length: 1_000 }, () => outcomeOf(gate('a key', () => work(true, 1))));
  expect(new Set(await Promise.all(asked))).toEqual(new Set(['hit']));
});

test('the misses of one key hold up no other', async () => {
  const gate = openGate(1);
  await expect(gate('one', () => work(false, 0))).rejects.toBeInstanceOf(Miss);
  await expect(gate('one', () => work(true, 0))).rejects.toBeInstanceOf(Refused);
  expect(await gate('another', () => work(true, 0))).toBe('hit');
});

test('whatever comes in whatever order, everybody is answered, and misses never exceed the limit', async () => {
  const request = fc.record({ isHit: fc.boolean(), turns: fc.nat(3), pause: fc.nat(2) });
  const all = fc.array(request, { minLength: 1, maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(all, fc.integer({ min: 1, max: 8 }), async (requests, perMinute) => {
      const gate = openGate(perMinute);
      const asked: Promise<Outcome>[] = [];
      for (const { isHit, turns, pause } of requests) {
        asked.push(outcomeOf(gate('a key', () => work(isHit, turns))));
        for (let turn = 0; turn < pause; turn += 1) await new Promise(setImmediate);
      }
      const outcomes = await Promise.all(asked);
      const misses = outcomes.filter((each) => each === 'miss').length;
      expect(misses).toBeLessThanOrEqual(perMinute);
      // Nobody is refused before the misses have used up all room.
      if (outcomes.includes('refused')) expect(misses).toBe(perMinute);
    }),
    { numRuns: 300 },
  );
});
