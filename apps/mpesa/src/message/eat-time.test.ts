import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readEatTime } from './eat-time.ts';
import { readable, unreadable } from './reasons.ts';

test('a time is East Africa Time, three hours ahead of UTC', () => {
  expect(readEatTime('20260804091330')).toEqual(readable(new Date('2026-08-04T06:13:30.000Z')));
});

test('the first hours of a day in Nairobi belong to the day before in UTC', () => {
  expect(readEatTime('20240101013000')).toEqual(readable(new Date('2023-12-31T22:30:00.000Z')));
});

test.each([
  '20260231120000',
  '20250229120000',
  '20261301120000',
  '20260100120000',
  '20260101240000',
  '20260101126000',
])('%s is on no calendar and refused', (text) => {
  expect(readEatTime(text)).toEqual(unreadable('time_invalid'));
});

test.each([
  '2024-05-01T12:00:00',
  '20240501',
  '202405011200000',
  '2024050112000x',
  '00000101000000',
  '20060101000000',
])('%s is not a time of M-PESA and refused', (text) => {
  expect(readEatTime(text)).toEqual(unreadable('time_invalid'));
});

test('an empty time is missing', () => {
  expect(readEatTime(' ')).toEqual(unreadable('time_missing'));
});

test('every second that a Nairobi clock shows is read as the instant it was', () => {
  const clock = new Intl.DateTimeFormat('en-GB', {
    timeZone: 'Africa/Nairobi',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  });
  const times = fc.date({
    min: new Date('2007-03-06T00:00:00Z'),
    max: new Date('2150-01-01T00:00:00Z'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(times, (time) => {
      const instant = new Date(Math.floor(time.getTime() / 1_000) * 1_000);
      const shown = Object.fromEntries(clock.formatToParts(instant).map(({ type, value }) => [type, value]));
      const { year = '', month = '', day = '', hour = '', minute = '', second = '' } = shown;
      expect(readEatTime(`${year}${month}${day}${hour}${minute}${second}`)).toEqual(readable(instant));
    }),
  );
});
