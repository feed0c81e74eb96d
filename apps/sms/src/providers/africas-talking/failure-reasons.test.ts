import { expect, test } from 'vitest';
import { FAILURE_REASONS } from '../failure-reasons.ts';
import { explanationOf } from './failure-reasons.ts';

/** The list that the provider publishes, with its spelling. */
const LISTED = [
  'InsufficientCredit',
  'InvalidLinkId',
  'UserIsInactive',
  'UserInBlackList',
  'UserAccountSuspended',
  'NotNetworkSubcriber',
  'UserNotSubscribedToProduct',
  'UserDoesNotExist',
  'DeliveryFailure',
  'DoNotDisturbRejection',
];

test('every listed reason has an explanation of its own, whatever its capitals', () => {
  const explanations = LISTED.map(explanationOf);
  expect(new Set(explanations)).toEqual(new Set(Object.values(FAILURE_REASONS)));
  expect(explanations).not.toContain(null);
  expect(LISTED.map((word) => explanationOf(word.toUpperCase()))).toEqual(explanations);
});

test('the column takes every explanation whole', () => {
  for (const text of Object.values(FAILURE_REASONS)) {
    expect(text).toMatch(/^[A-Z].*\.$/);
    expect(text.length).toBeLessThanOrEqual(200);
  }
});

test('a misspelt reason is the same when its spelling is mended', () => {
  expect(explanationOf('NotNetworkSubscriber')).toBe(explanationOf('NotNetworkSubcriber'));
});

test.each(['Quantum', 'toString', ''])('%j is not listed', (word) => {
  expect(explanationOf(word)).toBeNull();
});
