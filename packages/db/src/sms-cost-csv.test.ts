import { expect, test } from 'vitest';
import { smsCostCsv } from './sms-cost-csv.ts';

const sums = { messages: 2, parts: 3, expectedParts: 2, cost: '2.4000', currency: 'KES' };

test('each row is a line, and what cost nothing comes last', () => {
  const csv = smsCostCsv({
    rows: [{ key: 'deposit', ...sums }],
    totals: [sums],
    uncosted: [{ key: 'deposit', messages: 4 }],
  });
  expect(csv).toBe(
    'key,messages,parts,expected_parts,cost,currency\r\ndeposit,2,3,2,2.4000,KES\r\ndeposit,4,,,,\r\n',
  );
});

test.each([
  ['a, b', '"a, b"'],
  ['say "x"', '"say ""x"""'],
  ['two\nlines', '"two\nlines"'],
  ['=1+1', "'=1+1"],
  ['@sum', "'@sum"],
  ['-1', "'-1"],
])('the key %j can neither break a line nor be a formula', (key, cell) => {
  const csv = smsCostCsv({ rows: [{ key, ...sums }], totals: [], uncosted: [] });
  expect(csv).toBe(`key,messages,parts,expected_parts,cost,currency\r\n${cell},2,3,2,2.4000,KES\r\n`);
});
