import { expect, test } from 'vitest';
import { complaintOf, judge, renderSmoke } from './rules.ts';
import type { SmokeRound } from './rules.ts';

const QUIET: SmokeRound = {
  textbook: 700,
  'one call': 1_000,
  'one lane': 12_000,
  'all lanes': 15_000,
  'raw SQL': 14_000,
  'the floor': 30_000,
};

/** The complaints about rounds that are like a quiet machine's but for what is given. */
function complaintsOf(...rounds: Partial<SmokeRound>[]): string[] {
  const verdicts = judge(rounds.map((round) => ({ ...QUIET, ...round })));
  return verdicts.filter(({ holds }) => !holds).map(complaintOf);
}

test('nothing is wrong on a quiet machine, nor on one that is ten times slower', () => {
  const slow = Object.fromEntries(Object.entries(QUIET).map(([way, rate]) => [way, rate / 10]));
  expect(complaintsOf({}, {}, slow)).toEqual([]);
});

test('deposits that travel one by one break what grouping is for', () => {
  expect(complaintsOf({ 'one lane': 1_100, 'all lanes': 1_100 })).toEqual([
    expect.stringContaining('one lane has 1.1 times the rate of one call, and must have 2'),
    expect.stringContaining('of textbook'),
    expect.stringContaining('of raw SQL'),
  ]);
});

test('lanes that wait for each other are slower than one', () => {
  expect(complaintsOf({ 'all lanes': 6_000 })).toEqual([
    expect.stringContaining('all lanes has 0.5 times the rate of one lane, and must have 0.6'),
  ]);
});

test('the median of the rounds decides', () => {
  expect(complaintsOf({ 'all lanes': 1 }, {}, {})).toEqual([]);
  expect(complaintsOf({ 'all lanes': 1 }, { 'all lanes': 1 }, {})).toHaveLength(1);
});

test('a way that recorded nothing breaks its rules', () => {
  expect(complaintsOf({ 'one lane': 0, 'one call': 0 })[0]).toContain(
    'one lane has - times the rate of one call',
  );
});

test('the report names every way and every broken rule', () => {
  const rounds = [{ ...QUIET, 'all lanes': 1 }];
  const text = renderSmoke(rounds, judge(rounds));
  for (const way of Object.keys(QUIET)) expect(text).toContain(way);
  expect(text.match(/BROKEN/g)).toHaveLength(1);
});
