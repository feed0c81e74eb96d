import fc from 'fast-check';
import { expect, test } from 'vitest';
import { receiptsIn } from './audit.ts';
import { isRight, median, renderMarkdown, renderReport, replaceSection } from './report.ts';
import type { Report } from './report.ts';
import { longestSilence } from './trial.ts';

const EVENT = { fault: 'kill', takeoverMs: 8_000, silenceMs: 12_000, wholeMs: 15_000 };
const OUTCOME = {
  sent: 1_200,
  acknowledged: 1_200,
  lost: 0,
  told: 1_100,
  toldAndGone: 0,
  faults: 0,
  sum: '0.00',
};
const REPORT: Report = { durability: 'synchronous', nodes: 2, events: [EVENT], outcome: OUTCOME };

test('a trial is right only when nothing was lost, nobody was told of what is gone, and the audit is clean', () => {
  expect(isRight(REPORT)).toBe(true);
  for (const wrong of [{ lost: 1 }, { toldAndGone: 1 }, { faults: 1 }]) {
    expect(isRight({ ...REPORT, outcome: { ...OUTCOME, ...wrong } })).toBe(false);
  }
});

test('a trial without a fault has shown nothing', () => {
  expect(isRight({ ...REPORT, events: [] })).toBe(false);
});

test('a control is right only when it lost', () => {
  const control: Report = { ...REPORT, durability: 'asynchronous' };
  expect(isRight(control)).toBe(false);
  expect(isRight({ ...control, outcome: { ...OUTCOME, lost: 3 } })).toBe(true);
  expect(isRight({ ...control, outcome: { ...OUTCOME, toldAndGone: 3 } })).toBe(true);
});

test('the table has one row a fault, with medians and the longest silence', () => {
  const events = [
    EVENT,
    { ...EVENT, silenceMs: 14_000, takeoverMs: 9_000 },
    { ...EVENT, fault: 'slow', takeoverMs: null, silenceMs: 1_500 },
  ];
  expect(renderMarkdown({ ...REPORT, events }, 'Somewhere.').split('\n')).toEqual(
    expect.arrayContaining([
      '| kill | 2 | 2 | 8.5 s | 13.0 s | 14.0 s |',
      '| slow | 1 | 0 | - | 1.5 s | 1.5 s |',
      'Somewhere.',
    ]),
  );
  expect(renderReport({ ...REPORT, events })).toContain(
    '1,200 payments were acknowledged, 0 of them are lost;',
  );
});

test('a section of a document is replaced between its marks, and nothing else', () => {
  const text = 'before\n<!-- it -->\nold\n<!-- end of it -->\nafter\n';
  const once = replaceSection(text, { name: 'it', body: 'new' });
  expect(once).toBe('before\n<!-- it -->\n\nnew\n\n<!-- end of it -->\nafter\n');
  expect(replaceSection(once, { name: 'it', body: 'new' })).toBe(once);
  expect(() => replaceSection(text, { name: 'other', body: 'new' })).toThrow('has no marks');
});

test('the longest silence is at least every pause that begins within the time, and is one of them', () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 3, maxLength: 40 });
  fc.assert(
    fc.property(gaps, (pauses) => {
      const times = pauses.map((_, i) => pauses.slice(0, i + 1).reduce((sum, each) => sum + each, 0));
      const [from = 0] = times;
      const to = times.at(-1) ?? 0;
      expect(longestSilence(times, { from, to })).toBe(Math.max(...pauses.slice(1)));
    }),
  );
});

test('a silence that began before the fault counts whole, and one after the time does not', () => {
  expect(longestSilence([0, 100, 900, 950, 5_000], { from: 500, to: 940 })).toBe(800);
  expect(longestSilence([], { from: 0, to: 10 })).toBe(0);
});

test('the median of an even number is the middle of two', () => {
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test('a text tells of the receipts that were sent, and of nothing that only looks like one', () => {
  const texts = ['KES 25.00 received. Reference UKS1234567.', 'ABCDEFGHIJ is no receipt of ours.'];
  expect(receiptsIn(texts, new Set(['UKS1234567', 'UKS7654321']))).toEqual(new Set(['UKS1234567']));
});
