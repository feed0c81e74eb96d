import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stepsOf } from './steps.ts';

test('the steps follow each other without a gap, from nothing to all messages, none longer than the first', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 10, max: 2_000_000 }),
      fc.integer({ min: 1, max: 20 }),
      (messages, count) => {
        const steps = stepsOf(messages, count);
        expect(steps.length).toBeLessThanOrEqual(count);
        expect(steps.map(({ from }) => from)).toEqual([0, ...steps.slice(0, -1).map(({ to }) => to)]);
        expect(steps.at(-1)?.to).toBe(messages);
        const sizes = steps.map(({ from, to }) => to - from);
        expect(Math.max(...sizes)).toBe(sizes[0]);
        expect(Math.min(...sizes)).toBeGreaterThan(0);
      },
    ),
  );
});
