import { freezeWallet } from '@repo/db';
import { createPayment, createRandom, sendRaw, sendValidation, validationOf } from '@repo/simulator';
import { expect, test } from 'vitest';
import { openCustomerWallet, startTestService } from './testing.ts';
import type { TestService } from './testing.ts';

const random = createRandom('validation.test');

async function readInbox({ database }: TestService) {
  return database.query('SELECT kind, outcome, error FROM services.mpesa_callbacks');
}

const ACCEPTED = '{"ResultCode":"0","ResultDesc":"Accepted"}';
const WRONG_ACCOUNT = '{"ResultCode":"C2B00012","ResultDesc":"Invalid Account Number"}';
const WRONG_AMOUNT = '{"ResultCode":"C2B00013","ResultDesc":"Invalid Amount"}';
const OTHER_ERROR = '{"ResultCode":"C2B00016","ResultDesc":"Other Error"}';

test('by default every account is accepted', async () => {
  await using service = await startTestService();
  const answer = await sendValidation(
    service.target,
    validationOf(createPayment(random, { account: 'nobody' })),
  );
  expect(answer.body).toBe(ACCEPTED);
  expect(await readInbox(service)).toEqual([{ kind: 'C2B_VALIDATION', outcome: 'VALIDATED', error: null }]);
});

test('by default even garbage is accepted, and kept in quarantine', async () => {
  await using service = await startTestService();
  expect((await sendRaw(service.target, 'validation', 'garbage')).body).toBe(ACCEPTED);
  expect(await readInbox(service)).toEqual([
    { kind: 'C2B_VALIDATION', outcome: 'QUARANTINED', error: 'body_not_json' },
  ]);
});

test('strict, a known account is accepted as typed, with spaces, or as the phone number', async () => {
  await using service = await startTestService({ validation: 'strict' });
  const account = await openCustomerWallet(service.db, '254700000126');
  for (const typed of [account, ` ${account.slice(0, 5)} ${account.slice(5)}`, '0700000126']) {
    const answer = await sendValidation(
      service.target,
      validationOf(createPayment(random, { account: typed })),
    );
    expect(answer.body).toBe(ACCEPTED);
  }
});

test('strict, an account that two wallets could mean is refused', async () => {
  await using service = await startTestService({ validation: 'strict' });
  await openCustomerWallet(service.db, '254700000126');
  await openCustomerWallet(service.db, '254700000126');
  const answer = await sendValidation(
    service.target,
    validationOf(createPayment(random, { account: '0700000126' })),
  );
  expect(answer.body).toBe(WRONG_ACCOUNT);
});

test.each([
  ['an unknown account', {}, WRONG_ACCOUNT],
  ['no account', { BillRefNumber: '' }, WRONG_ACCOUNT],
  ['an amount of zero', { TransAmount: '0.00' }, WRONG_AMOUNT],
  ['an amount that is no number', { TransAmount: 'ten' }, WRONG_AMOUNT],
  ['a time that is no time', { TransTime: 'now' }, OTHER_ERROR],
])('strict, %s is refused, and the refusal is kept', async (_what, change, answer) => {
  await using service = await startTestService({ validation: 'strict' });
  const message = { ...validationOf(createPayment(random, { account: '5550001112' })), ...change };
  expect((await sendRaw(service.target, 'validation', JSON.stringify(message))).body).toBe(answer);
  const { ResultCode } = JSON.parse(answer) as { ResultCode: string };
  expect(await readInbox(service)).toEqual([
    { kind: 'C2B_VALIDATION', outcome: 'VALIDATED', error: ResultCode },
  ]);
});

test('strict, a frozen wallet is refused for another reason than its number', async () => {
  await using service = await startTestService({ validation: 'strict' });
  const account = await openCustomerWallet(service.db);
  await freezeWallet(service.db, { wallet: account, reason: 'a trial' });
  const answer = await sendValidation(service.target, validationOf(createPayment(random, { account })));
  expect(answer.body).toBe(OTHER_ERROR);
});
