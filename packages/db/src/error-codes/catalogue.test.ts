import { expect, test } from 'vitest';
import { DaftariError } from '../errors.ts';
import { ERROR_CATALOGUE } from './catalogue.ts';
import type { ErrorCode } from './catalogue.ts';
import { DEPOSIT_ERRORS } from './deposits.ts';
import type { ErrorDescriptions } from './kinds.ts';
import { LEDGER_ERRORS } from './ledger.ts';
import { REQUEST_ERRORS } from './requests.ts';
import { SERVICE_ERRORS } from './service.ts';
import { SMS_ERRORS } from './sms.ts';
import { STATEMENT_ERRORS } from './statements.ts';
import { WALLET_ERRORS } from './wallets.ts';
import { WEBHOOK_ERRORS } from './webhooks.ts';

test('a code stands in one subject', () => {
  const subjects = [
    SERVICE_ERRORS,
    REQUEST_ERRORS,
    WALLET_ERRORS,
    LEDGER_ERRORS,
    DEPOSIT_ERRORS,
    SMS_ERRORS,
    STATEMENT_ERRORS,
    WEBHOOK_ERRORS,
  ].map((codes) => Object.keys(codes));
  expect(subjects.flat().toSorted()).toEqual(Object.keys(ERROR_CATALOGUE).toSorted());
});

test('a code without a kind, and a refusal without a title, do not compile', () => {
  const advice = 'Do something else.';
  // @ts-expect-error It does not say what it means.
  const unkind = { no_kind: { advice } } satisfies ErrorDescriptions;
  // @ts-expect-error Services could not say what is wrong.
  const untitled = { no_title: { kind: 'refused', advice } } satisfies ErrorDescriptions;
  const complete = { full: { kind: 'refused', title: 'No.', advice } } satisfies ErrorDescriptions;
  expect([unkind, untitled, complete]).toHaveLength(3);
});

test.each(Object.keys(ERROR_CATALOGUE) as ErrorCode[])('%s carries its kind and its advice', (code) => {
  const { kind, advice } = ERROR_CATALOGUE[code];
  expect(new DaftariError(code)).toMatchObject({ code, kind, message: advice });
});
