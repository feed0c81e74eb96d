import { expect, test } from 'vitest';
import { failureReasonOf, failureReasons } from './failure-reason.ts';
import { networkOf } from './networks.ts';

/** The list that the provider publishes, with its spelling. */
const listed = [
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

test('every listed reason has a code and an explanation of its own', () => {
  expect(failureReasons.map(({ name }) => name)).toEqual(listed);
  for (const name of listed) {
    expect(failureReasonOf(name)).toMatchObject({ name, explanation: expect.stringMatching(/^[A-Z].*\.$/) });
    expect(failureReasonOf(name.toUpperCase()).name).toBe(name);
  }
  expect(new Set(failureReasons.map(({ code }) => code)).size).toBe(listed.length);
  expect(failureReasons.map(({ code }) => code)).not.toContain('unknown_reason');
});

test('a misspelt reason is the same when its spelling is mended', () => {
  expect(failureReasonOf('NotNetworkSubscriber')).toEqual(failureReasonOf('NotNetworkSubcriber'));
});

test('the blacklist of a report and that of an answer are one', () => {
  expect(failureReasonOf('UserInBlacklist').code).toBe('blacklisted');
});

test('a reason that is not listed is kept', () => {
  expect(failureReasonOf('Quantum')).toMatchObject({ name: 'Quantum', code: 'unknown_reason' });
  expect(failureReasonOf('toString').code).toBe('unknown_reason');
});

test.each([
  ['63902', 'Safaricom'],
  ['63903', 'Airtel'],
  ['63907', 'Telkom'],
  ['63999', 'Equitel'],
  ['99999', 'sandbox'],
  ['62001', null],
  ['2547', null],
  [null, null],
])('network code %s is %s', (code, network) => {
  expect(networkOf(code)).toBe(network);
});
