import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findSilences, WEEKS } from './silences.ts';
import type { HourCount } from './silences.ts';

/** A Friday, 12:00 in Nairobi. */
const NOON = Date.UTC(2026, 10, 27, 9) / 3_600_000;
const DAY = { first: NOON, last: NOON + 23 };

const hoursOf = (week: number, payments: (hour: number) => number): HourCount[] =>
  Array.from({ length: 24 }, (_, index) => ({
    shortCode: '600100',
    hour: NOON + index - week * 168,
    payments: payments(index),
  })).filter((each) => each.payments > 0);

const usually = (payments: (hour: number) => number): HourCount[] =>
  Array.from({ length: WEEKS }, (_, index) => hoursOf(index + 1, payments)).flat();

test('hours without a payment are one silence where they are usually busy, and tell how busy', () => {
  const today = hoursOf(0, (hour) => (hour === 3 || hour === 4 || hour === 9 ? 0 : 8));
  expect(findSilences([...usually(() => 8), ...today], DAY)).toEqual([
    { shortCode: '600100', first: NOON + 3, last: NOON + 4, usual: 16 },
    { shortCode: '600100', first: NOON + 9, last: NOON + 9, usual: 8 },
  ]);
});

test('a quiet hour of the week is no silence, and neither is an hour that was quiet in one of the weeks', () => {
  expect(
    findSilences(
      usually((hour) => (hour < 8 ? 4 : 0)),
      DAY,
    ),
  ).toEqual([]);
  const poor = [
    ...usually(() => 50).filter(({ hour }) => hour !== NOON - 168),
    ...hoursOf(0, (hour) => (hour === 0 ? 0 : 1)),
  ];
  expect(findSilences(poor, DAY)).toEqual([]);
});

test('the same hour of other weekdays says nothing', () => {
  const yesterday = usually(() => 50).map((each) => ({ ...each, hour: each.hour - 24 * 1 }));
  const [silence] = findSilences(yesterday, { first: NOON + 23, last: NOON + 23 });
  expect(silence).toBeUndefined();
});

test('one week of history is no habit', () => {
  expect(
    findSilences(
      hoursOf(1, () => 50),
      DAY,
    ),
  ).toEqual([]);
});

test('short codes are judged each by itself', () => {
  const other = usually(() => 9).map((each) => ({ ...each, shortCode: '600200' }));
  const found = findSilences([...usually(() => 9), ...hoursOf(0, () => 9), ...other], DAY);
  expect(found).toEqual([{ shortCode: '600200', first: NOON, last: NOON + 23, usual: 216 }]);
});

test('a payment in an hour ends its silence, whatever else there is', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { minLength: 24, maxLength: 24 }), (today) => {
      const found = findSilences([...usually(() => 6), ...hoursOf(0, (hour) => today[hour] ?? 0)], DAY);
      const silent = found.flatMap(({ first, last }) =>
        Array.from({ length: last - first + 1 }, (_, index) => first + index - NOON),
      );
      expect(silent).toEqual(today.flatMap((payments, hour) => (payments === 0 ? [hour] : [])));
    }),
  );
});
