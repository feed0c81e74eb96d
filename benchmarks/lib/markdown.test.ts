import { expect, test } from 'vitest';
import { fill, rounded, table } from './markdown.ts';

test('a table is as wide as its cells, with the numbers to the right', () => {
  const rows = [
    { name: 'a long name', count: 7 },
    { name: 'b', count: 12_345 },
  ];
  const drawn = table(rows, [
    ['name', ({ name }) => name],
    ['count', ({ count }) => rounded(count)],
  ]);
  expect(drawn.split('\n')).toEqual([
    '| name        |  count |',
    '| ----------- | -----: |',
    '| a long name |      7 |',
    '| b           | 12,300 |',
  ]);
});

test('a section is left out when something of it was not measured', () => {
  const template = '# All\n\n{{note}}\n\n## One\n\n{{one}}\n\n## Two\n\nSome words.\n\n{{two}}\n';
  expect(fill(template, { note: '', one: '1', two: undefined })).toBe('# All\n\n## One\n\n1\n\n');
});

test('a name that the report does not know is an error and no gap', () => {
  expect(() => fill('{{nothing}}', {})).toThrow('nothing');
});
