import { expect, test } from 'vitest';
import { smsCostCsv } from './cost-csv.ts';

const SUMS = { messages: 2, parts: 3, expectedParts: 2, cost: '2.4000', currency: 'KES' };

test('each row is a line, and what cost nothing comes last', () => {
  const csv = smsCostCsv({
    rows: [{ key: 'deposit', ...SUMS }],
    totals: [SUMS],
    uncosted: [{ key: 'deposit', messages: 4 }],
  });
  expect(csv).toBe(
    'key,messages,parts,expected_parts,cost,currency\r\ndeposit,2,3,2,2.4000,KES\r\ndeposit,4,,,,\r\n',
  );
});

test('a template that a caller has named like a formula is no formula', () => {
  const csv = smsCostCsv({ rows: [{ key: '=1+1', ...SUMS }], totals: [], uncosted: [] });
  expect(csv).toBe("key,messages,parts,expected_parts,cost,currency\r\n'=1+1,2,3,2,2.4000,KES\r\n");
});
