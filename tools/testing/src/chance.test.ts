import { expect, test } from 'vitest';
import { withoutChance } from './chance.ts';

test.each([
  ['an id', '"requestId":"75eaa0c0-be69-430e-9a66-30754734875d"', '"requestId":"<id>"'],
  [
    'a sum of a metric',
    'seconds_sum{status="503"} 0.19452899700000126',
    'seconds_sum{status="503"} <number>',
  ],
  ['the name of a database', 'on test_ed5120e6_a2547bfef4eaf6e', 'on test_<hex>_<hex>'],
  ['a port', 'postgresql://127.0.0.1:40711/x', 'postgresql://127.0.0.1:<port>/x'],
])('%s is taken out', (_what, text, rest) => {
  expect(withoutChance(text)).toBe(rest);
});

test.each([
  '254700000126',
  '0700000126',
  '+254700000126',
  '2547 ***** 126',
  '"0700000126"',
  'to:254700000126,',
])('the number %s stays, and so does what stands around it', (text) => {
  expect(withoutChance(text)).toBe(text);
});
