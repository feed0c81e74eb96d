import { expect, test } from 'vitest';
import { NothingCameError, until } from './until.ts';

test('a wait gives what it found, however often it had to look', async () => {
  const seen = [null, undefined, false, 0];
  expect(await until('a number', () => seen.shift())).toBe(0);
});

test('a wait for a value of a kind looks until there is one', async () => {
  let count = 0;
  const look = () => Promise.resolve((count += 1));
  expect(await until('three looks', look, { isFit: (looks) => looks === 3 })).toBe(3);
});

test('a wait that is given up says for what, and what it saw last', async () => {
  const waiting = until('the train', () => ({ station: 'Nakuru' }), { isFit: () => false, limitMs: 20 });
  await expect(waiting).rejects.toThrow(NothingCameError);
  await expect(waiting).rejects.toThrow(/waited 0\.02 s/);
  await expect(waiting).rejects.toThrow(`in vain for: the train. Last seen: { station: 'Nakuru' }`);
});

test('a wait prints of what it saw only what may be shown', async () => {
  const look = () => ({ phone: '254700000000', phase: 'QUEUED' });
  const waiting = until('a message to be sent', look, {
    isFit: () => false,
    limitMs: 0,
    show: ({ phase }) => phase,
  });
  await expect(waiting).rejects.toThrow(/Last seen: 'QUEUED'$/);
});

test('an error of a look is no reason to look again', async () => {
  let looks = 0;
  const look = () => {
    looks += 1;
    throw new RangeError('broken');
  };
  await expect(until('nothing', look)).rejects.toThrow(RangeError);
  expect(looks).toBe(1);
});

test('what has come while the process stood still is found, although the limit is over', async () => {
  const end = performance.now() + 30;
  const look = () => {
    const isThere = performance.now() > end;
    // Nothing else runs meanwhile, as on a machine that gives this process no time.
    while (performance.now() <= end);
    return isThere;
  };
  expect(await until('the end of the standstill', look, { limitMs: 10 })).toBe(true);
});
