import { randomUUID } from 'node:crypto';
import { createApiKey } from '@repo/db';
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

const review = (id: string, asked?: AskedDecision) => postDecision(service, `/payments/${id}/review`, asked);

test('a flag ends when a person has dealt with it, and the deposit says who did and why', async () => {
  const { id, receipt } = await payContradicted(service, { wallet, other });
  expect(await getPayment(service, id)).toMatchObject({ flagged: true });
  const idempotencyKey = randomUUID();
  for (const key of [idempotencyKey, idempotencyKey]) {
    expect(await review(id, { idempotencyKey: key })).toMatchObject({
      status: 200,
      body: { id, receipt, wallet, status: 'paid', flagged: false },
    });
  }
  const payment = await getPayment(service, id);
  expect(eventKinds(payment).slice(-2)).toEqual(['other_wallet', 'reviewed']);
  expect(await (await getDeposit(service, receipt)).json()).toMatchObject({
    wallet,
    decisions: [
      {
        decision: 'reviewed',
        reason: 'The payer says so.',
        decidedBy: expect.any(String) as string,
        reference: null,
      },
    ],
  });
});

test('a payment without a flag, an unknown one and a wrong request are refused, and it takes an administrator', async () => {
  const id = String((await postPayment(service, { wallet })).body['id']);
  expect(await review(id)).toMatchObject({ status: 422, body: { code: 'nothing_to_review' } });
  expect(await review(randomUUID())).toMatchObject({ status: 404, body: { code: 'unknown_payment' } });
  expect(await review('x')).toMatchObject({ status: 404, body: { code: 'unknown_payment' } });
  expect(await review(id, { body: {} })).toMatchObject({ status: 422, body: { code: 'invalid_request' } });
  expect(await review(id, { idempotencyKey: null })).toMatchObject({ status: 400 });
  expect(await review(id, { authorization: null })).toMatchObject({ status: 401 });
  for (const scope of ['read', 'transact'] satisfies Scope[]) {
    const { key } = await createApiKey(service.db, { name: scope, scopes: [scope] });
    expect(await review(id, { authorization: key })).toMatchObject({ status: 403 });
  }
});
