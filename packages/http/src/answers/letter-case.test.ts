import { expect, test } from 'vitest';
import { z } from 'zod';
import { lowerCase, wordParameter } from './letter-case.ts';

test('a stored state goes out in lower case', () => {
  expect(['ACTIVE', 'C2B_CONFIRMATION'].map(lowerCase)).toEqual(['active', 'c2b_confirmation']);
});

test('a parameter takes its words in any case and nothing else', () => {
  const status = wordParameter(['waiting', 'all']);
  expect(['waiting', 'WAITING', 'All'].map((word) => status.parse(word))).toEqual([
    'waiting',
    'waiting',
    'all',
  ]);
  for (const other of ['', 'alle', ['all'], null]) expect(status.safeParse(other).success).toBe(false);
});

test('the description of a parameter lists its words', () => {
  expect(z.toJSONSchema(wordParameter(['waiting', 'all']), { io: 'input' })).toMatchObject({
    enum: ['waiting', 'all'],
  });
});
