import { REFUSALS } from '@repo/simulator';
import type { RefusalName } from '@repo/simulator';
import { expect, test } from 'vitest';
import { readPushAnswer, readQueryAnswer, readTokenAnswer } from './answers.ts';
import { createTokenSeal } from './token-seal.ts';

const answer = (status: number, body: unknown) => ({
  status,
  body: typeof body === 'string' ? body : JSON.stringify(body),
  retryAfter: null,
});
const refused = (name: RefusalName) => answer(REFUSALS[name].status, REFUSALS[name]);

test.each([
  ['invalid-token', 'TOKEN', undefined],
  ['busy-subscriber', 'RETRY', 'subscriber_busy'],
  ['system-busy', 'RETRY', 'provider_busy'],
  ['spike-arrest', 'RETRY', 'provider_busy'],
  ['throttled', 'RETRY', 'provider_busy'],
  ['wrong-credentials', 'REFUSED', 'wrong_credentials'],
  ['no-merchant', 'REFUSED', 'no_such_merchant'],
  ['no-resource', 'REFUSED', 'bad_request'],
  ['being-processed', 'LOST', 'answer_unclear'],
  ['server-error', 'LOST', 'answer_unclear'],
] as const)('a request that is answered %s is %s', (name, kind, reason) => {
  expect(readPushAnswer(refused(name))).toMatchObject(reason === undefined ? { kind } : { kind, reason });
});

test.each([
  ['being-processed', 'being_processed'],
  ['no-transaction', 'no_such_transaction'],
  ['system-busy', 'busy'],
  ['server-error', 'unclear'],
] as const)('a question that is answered %s decides nothing', (name, reason) => {
  expect(readQueryAnswer(refused(name))).toMatchObject({ kind: 'OPEN', reason });
});

test.each([
  ['0', 'CONFIRMED'],
  [0, 'CONFIRMED'],
  ['4999', 'OPEN'],
  ['1032', 'FAILED'],
  [1037, 'FAILED'],
  ['77777', 'OPEN'],
  [undefined, 'OPEN'],
])('the code %j of a query is %s', (ResultCode, kind) => {
  expect(readQueryAnswer(answer(200, { ResponseCode: '0', ResultCode }))).toMatchObject({ kind });
});

test('an accepted request without a CheckoutRequestID, half an answer and a page are lost', () => {
  for (const body of [{ ResponseCode: '0' }, '{"CheckoutRequ', '<html>']) {
    expect(readPushAnswer(answer(200, body))).toEqual({ kind: 'LOST', reason: 'answer_unclear' });
  }
});

test('the life of a token is a text of seconds', () => {
  expect(readTokenAnswer(answer(200, { access_token: 'abc', expires_in: '3599' }))).toEqual({
    token: 'abc',
    validMs: 3_599_000,
  });
  expect(readTokenAnswer(answer(200, { access_token: 'abc' }))).toBeNull();
  expect(readTokenAnswer(answer(400, { access_token: 'abc', expires_in: '1' }))).toBeNull();
});

test('a sealed token opens with the same secret only, and unchanged', () => {
  const account = { baseUrl: 'https://a', consumerKey: 'k', consumerSecret: 's' };
  const seal = createTokenSeal(account);
  const sealed = seal.seal('a token');
  expect(seal.open(sealed)).toBe('a token');
  expect(sealed.toString('latin1')).not.toContain('a token');
  expect(createTokenSeal({ ...account, consumerSecret: 't' }).open(sealed)).toBeNull();
  sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
  expect(seal.open(sealed)).toBeNull();
  expect(seal.open(Buffer.alloc(3))).toBeNull();
});
