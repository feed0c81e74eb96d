import { expect, test } from 'vitest';
import { findTokenFaults } from './token-faults.ts';

test('a long random token has no fault', () => {
  expect(findTokenFaults('V1StGXR8Z5jdHi6BmyT0kL9w')).toEqual([]);
});

test('a short token and forbidden words are named without repeating the token', () => {
  const faults = findTokenFaults('my-MPESA-Sql');
  expect(faults).toHaveLength(2);
  expect(faults[0]).toContain('short enough to be guessed');
  expect(faults[1]).toContain('mpesa, sql');
  expect(faults.join()).not.toContain('my-');
});
