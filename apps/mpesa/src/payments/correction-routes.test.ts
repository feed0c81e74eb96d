import { randomUUID } from 'node:crypto';
import { createApiKey, transfer } from '@repo/db';
import type { Scope } from '@repo/db';
import { confirmationOf, createPayment, createRandom, sendConfirmation } from '@repo/simulator';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { getDeposit, openCustomerWallet, TEST_KEY } from '../testing.ts';
import { eventKinds, getPayment, postPayment, startPaymentService } from './testing.ts';
import type { PaymentService } from './testing.ts';

const PHONE = '254700000126';
const random = createRandom('correction-routes.test');

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

/** A payment that is paid, and whose confirmation names another wallet. */
async function payContradicted(): Promise<{ readonly id: string; readonly receipt: string }> {
  const { body } = await postPayment(service, { wallet });
  await service.daraja.answerPrompt(PHONE, 'paid');
  const receipt = service.daraja.book().payments.at(-1)?.receipt ?? '';
  const { shortCode } = service.daraja;
  const payment = createPayment(random, {
    account: other,
    amount: '150.00',
    receipt,
    phone: PHONE,
    shortCode,
  });
  await sendConfirmation(service.target, confirmationOf(payment, 'masked'));
  return { id: String(body['id']), receipt };
}

interface Asked {
  readonly body?: unknown;
  readonly authorization?: string | null;
  readonly idempotencyKey?: string | null;
}

async function correct(id: string, asked: Asked = {}) {
  const { body = { reason: 'The payer says so.' }, authorization = TEST_KEY } = asked;
  const { idempotencyKey = randomUUID() } = asked;
  const response = await fetch(`${service.url}/payments/${id}/correction`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(authorization === null ? {} : { authorization: `Bearer ${authorization}` }),
      ...(idempotencyKey === null ? {} : { 'idempotency-key': idempotencyKey }),
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test('the money goes to the other wallet, once, and the deposit says who moved it and why', async () => {
  const { id, receipt } = await payContradicted();
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
  const { id } = await payContradicted();
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
