import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createGate } from './gate.ts';

/** Work whose end the test decides. */
function openWork() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let hasBegun = false;
  const work = () => {
    hasBegun = true;
    return promise;
  };
  return {
    work,
    end: () => resolve('done'),
    fail: () => reject(new Error('failed')),
    hasBegun: () => hasBegun,
  };
}

test('so many are let in, the others wait, and each gets the answer of its own work', async () => {
  const gate = createGate(2);
  const [first, second, third] = [openWork(), openWork(), openWork()];
  const answers = [first, second, third].map(({ work }) => gate.pass(work));
  expect([gate.inside, gate.waiting, third.hasBegun()]).toEqual([2, 1, false]);
  second.end();
  expect(await answers[1]).toBe('done');
  await Promise.resolve();
  expect([gate.inside, gate.waiting, third.hasBegun()]).toEqual([2, 0, true]);
  first.end();
  third.end();
  expect(await Promise.all(answers)).toEqual(['done', 'done', 'done']);
  expect([gate.inside, gate.waiting]).toEqual([0, 0]);
});

test('work that fails leaves its place to the next', async () => {
  const gate = createGate(1);
  const [first, second] = [openWork(), openWork()];
  const answers = Promise.allSettled([gate.pass(first.work), gate.pass(second.work)]);
  first.fail();
  second.end();
  expect((await answers).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  expect(gate.inside).toBe(0);
});

test('never are more inside than there is room for, all are served, and in the order in which they came', async () => {
  const room = fc.integer({ min: 1, max: 4 });
  const turns = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(room, turns, async (size, lengths) => {
      const gate = createGate(size);
      const begun: number[] = [];
      let most = 0;
      const passing = lengths.map((length, place) =>
        gate.pass(async () => {
          begun.push(place);
          most = Math.max(most, gate.inside);
          for (let turn = 0; turn < length; turn += 1) await Promise.resolve();
        }),
      );
      await Promise.all(passing);
      expect(most).toBeLessThanOrEqual(size);
      expect(begun).toEqual(lengths.map((_, place) => place));
      expect([gate.inside, gate.waiting]).toEqual([0, 0]);
    }),
  );
});
