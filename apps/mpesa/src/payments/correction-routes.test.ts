import { randomUUID } from 'node:crypto';
import { createApiKey, transfer } from '@repo/db';
import type { Scope } from '@repo/db';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { getDeposit, openCustomerWallet } from '../testing.ts';
import {
  eventKinds,
  getPayment,
  payContradicted,
  postDecision,
  postPayment,
  startPaymentService,
} from './testing.ts';
import type { AskedDecision, PaymentService } from './testing.ts';

const PHONE = '254700000126';

let service: PaymentService;
let wallet: string;
let other: string;

beforeAll(async () => {
  service = await startPaymentService();
});
afterAll(() => service[Symbol.asyncDispose]());
beforeEach(async () => {
  [wallet, other] = [await openCustomerWallet(service.db), await openCustomerWallet(service.db)];
});

const correct = (id: string, asked?: AskedDecision) =>
  postDecision(service, `/payments/${id}/correction`, asked);

test('the money goes to the other wallet, once, and the deposit says who moved it and why', async () => {
  const { id, receipt } = await payContradicted(service, { wallet, other });
  expect(await getPayment(service, id)).toMatchObject({ status: 'paid', flagged: true });
  const idempotencyKey = randomUUID();
  const moved = { id, receipt, reference: `AS-${receipt}`, from: wallet, wallet: other, amount: '150.00' };
  for (const key of [idempotencyKey, idempotencyKey, randomUUID()]) {
    expect(await correct(id, { idempotencyKey: key })).toEqual({ status: 200, body: moved });
  }
  const payment = await getPayment(service, id);
  expect(payment).toMatchObject({ flagged: false });
  expect(eventKinds(payment).slice(-2)).toEqual(['other_wallet', 'corrected']);
  expect(await (await getDeposit(service, receipt)).json()).toMatchObject({
    wallet,
    witnesses: [{ kind: 'c2b_confirmation', otherWallet: other }],
    decisions: [
      {
        decision: 'moved',
        reason: 'The payer says so.',
        decidedBy: expect.any(String) as string,
        reference: `AS-${receipt}`,
      },
    ],
  });
});

test('what was spent is not taken, and the answer says so', async () => {
  const { id } = await payContradicted(service, { wallet, other });
  await transfer(service.db, { from: wallet, to: other, amount: '100', idempotencyKey: randomUUID() });
  expect(await correct(id)).toMatchObject({ status: 422, body: { code: 'insufficient_funds' } });
  expect(await getPayment(service, id)).toMatchObject({ flagged: true });
});

test('what is not contradicted, unknown or asked wrongly is refused, and takes an administrator', async () => {
  const { body } = await postPayment(service, { wallet });
  await service.daraja.answerPrompt(PHONE, 'paid');
  const id = String(body['id']);
  expect(await correct(id)).toMatchObject({ status: 422, body: { code: 'nothing_to_correct' } });
  expect(await correct(randomUUID())).toMatchObject({ status: 404, body: { code: 'unknown_payment' } });
  expect(await correct('x')).toMatchObject({ status: 404, body: { code: 'unknown_payment' } });
  expect(await correct(id, { body: {} })).toMatchObject({ status: 422, body: { code: 'invalid_request' } });
  expect(await correct(id, { idempotencyKey: null })).toMatchObject({ status: 400 });
  expect(await correct(id, { authorization: null })).toMatchObject({ status: 401 });
  for (const scope of ['read', 'transact'] satisfies Scope[]) {
    const { key } = await createApiKey(service.db, { name: scope, scopes: [scope] });
    expect(await correct(id, { authorization: key })).toMatchObject({ status: 403 });
  }
});
