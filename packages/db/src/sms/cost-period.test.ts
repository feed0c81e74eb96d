import fc from 'fast-check';
import { expect, test } from 'vitest';
import { costPeriod } from './cost-period.ts';

const now = new Date('2026-11-22T10:00:00.000Z');

function periodOf(from?: string, to?: string): string[] {
  const period = costPeriod({ from, to }, now);
  return [period.from.toISOString(), period.to.toISOString()];
}

test('days are those of East Africa Time, both included', () => {
  expect(periodOf('2026-11-01', '2026-11-02')).toEqual([
    '2026-10-31T21:00:00.000Z',
    '2026-11-02T21:00:00.000Z',
  ]);
});

test('moments are what they say, also where a plus sign has become a space', () => {
  const expected = ['2026-11-01T06:00:00.000Z', '2026-11-01T07:30:00.000Z'];
  expect(periodOf('2026-11-01T06:00:00Z', '2026-11-01T10:30+03:00')).toEqual(expected);
  expect(periodOf('2026-11-01T09:00:00 03:00', '2026-11-01T07:30:00.000Z')).toEqual(expected);
});

test('without an end it is now, without a beginning 30 days before', () => {
  expect(periodOf()).toEqual(['2026-10-23T10:00:00.000Z', '2026-11-22T10:00:00.000Z']);
  expect(periodOf(undefined, '2026-11-01')).toEqual(['2026-10-02T21:00:00.000Z', '2026-11-01T21:00:00.000Z']);
});

test.each([
  ['from', '2026-02-30', undefined],
  ['from', '2026-11-01T06:00:00', undefined],
  ['from', 'yesterday', undefined],
  ['from', '', undefined],
  ['to', undefined, '2026-13-01'],
  ['to', undefined, '2026-11-01T25:00:00Z'],
  ['from', '2026-11-02', '2026-11-01'],
  ['from', '2026-11-01T00:00:00Z', '2026-11-01T00:00:00Z'],
])('%s is refused by name: %s to %s', (field, from, to) => {
  expect(() => costPeriod({ from, to }, now)).toThrow(
    expect.objectContaining({ code: 'invalid_request', field }),
  );
});

test('consecutive days leave nothing out and count nothing twice', () => {
  const day = fc.date({ min: new Date('2020-01-01'), max: new Date('2030-12-31'), noInvalidDate: true });
  fc.assert(
    fc.property(day, (date) => {
      const nameOf = (time: number) => new Date(time).toISOString().slice(0, 10);
      const one = nameOf(date.getTime());
      const next = nameOf(date.getTime() + 86_400_000);
      const first = costPeriod({ from: one, to: one });
      const second = costPeriod({ from: next, to: next });
      expect(second.from).toEqual(first.to);
      expect(first.to.getTime() - first.from.getTime()).toBe(86_400_000);
    }),
  );
});
