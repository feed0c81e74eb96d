import { expect, test } from 'vitest';
import { AFRICAS_TALKING_CODES, verdictOf, wholeRequestVerdict } from './codes.ts';

/** The list that the provider publishes, written down once more. */
const LISTED: readonly [number, string, string][] = [
  [100, 'Processed', 'accepted'],
  [101, 'Sent', 'accepted'],
  [102, 'Queued', 'accepted'],
  [401, 'RiskHold', 'unknown risk_hold'],
  [402, 'InvalidSenderId', 'retry provider invalid_sender'],
  [403, 'InvalidPhoneNumber', 'refused invalid_number'],
  [404, 'UnsupportedNumberType', 'refused unsupported_number'],
  [405, 'InsufficientBalance', 'retry provider insufficient_balance'],
  [406, 'UserInBlacklist', 'refused blacklisted'],
  [407, 'CouldNotRoute', 'retry message no_route'],
  [409, 'DoNotDisturbRejection', 'refused do_not_disturb'],
  [500, 'InternalServerError', 'unknown provider_error'],
  [501, 'GatewayError', 'unknown gateway_error'],
  [502, 'RejectedByGateway', 'retry message gateway_rejected'],
];

function told(verdict: ReturnType<typeof verdictOf>): string {
  const scope = verdict.kind === 'retry' ? ` ${verdict.scope}` : '';
  return `${verdict.kind}${scope}${verdict.kind === 'accepted' ? '' : ` ${verdict.code}`}`;
}

test('the table holds every listed code and no other', () => {
  expect(AFRICAS_TALKING_CODES.map(({ code, name }) => [code, name])).toEqual(
    LISTED.map(([code, name]) => [code, name]),
  );
});

test.each(LISTED)('%d %s is %s, by its code and by its word', (code, name, meaning) => {
  expect(told(verdictOf(code, 'anything'))).toBe(meaning);
  expect(told(verdictOf(null, name))).toBe(meaning);
  expect(told(verdictOf(null, ` ${name.toUpperCase()}`))).toBe(meaning);
});

test('what is not listed may have been sent', () => {
  expect(told(verdictOf(103, 'Success'))).toBe('unknown unknown_status');
  expect(told(verdictOf(-1, 'UserInBlacklist'))).toBe('unknown unknown_status');
  expect(told(verdictOf(null, 'Teleported'))).toBe('unknown unknown_status');
  expect(told(verdictOf(null, ''))).toBe('unknown unknown_status');
});

test('the word beside an accepted code accepts, also where the code is missing', () => {
  expect(told(verdictOf(null, 'Success'))).toBe('accepted');
});

test('an answer that names no recipient refuses by its word and never accepts', () => {
  expect(told(wholeRequestVerdict('InvalidSenderId'))).toBe('retry provider invalid_sender');
  expect(told(wholeRequestVerdict('InvalidPhoneNumber'))).toBe('refused invalid_number');
  expect(told(wholeRequestVerdict('Sent to 0/1 Total Cost: 0'))).toBe('unknown unknown_status');
  expect(told(wholeRequestVerdict('Success'))).toBe('unknown unknown_status');
});
