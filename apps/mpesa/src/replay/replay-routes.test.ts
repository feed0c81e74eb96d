import { randomUUID } from 'node:crypto';
import { confirmationOf, createPayment, createRandom, sendConfirmation, sendRaw } from '@repo/simulator';
import { expect, test } from 'vitest';
import { getDeposit, openCustomerWallet, startTestService, TEST_KEY, TEST_TOKEN } from '../testing.ts';
import { getPayment, postPayment, startPaymentService } from '../payments/testing.ts';
import type { PaymentService } from '../payments/testing.ts';
import type { TestService } from '../testing.ts';

const random = createRandom('replay-routes.test');

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function post({ url }: TestService, path: string, body: unknown): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${TEST_KEY}`,
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function list({ url }: TestService, path: string): Promise<Record<string, unknown>[]> {
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${TEST_KEY}` } });
  return ((await response.json()) as { items: Record<string, unknown>[] }).items;
}

/** A payment whose amount nobody can read, in quarantine; the id of its callback and how it should have been. */
async function quarantineOne(service: TestService, account: string) {
  const payment = createPayment(random, { account, amount: '120.00', phone: '254700000126' });
  const right = confirmationOf(payment, 'plain');
  const text = JSON.stringify(right);
  const broken = text.replace('120.00', '120,00');
  expect(broken).not.toBe(text);
  await sendRaw(service.target, 'confirmation', Buffer.from(broken));
  const [callback] = await list(service, '/callbacks?outcome=quarantined');
  return { id: String(callback?.['id']), receipt: payment.receipt, text, broken };
}

test('a corrected body credits once, however often and by however many it is taken in; both bodies stay', async () => {
  await using service = await startTestService();
  const wallet = await openCustomerWallet(service.db);
  const { id, receipt, text, broken } = await quarantineOne(service, wallet);
  const request = { reason: 'The portal shows KES 120.00', body: text };
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => post(service, `/callbacks/${id}/replay`, request)),
  );
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  const outcomes = answers.map(({ body }) => body['outcome']);
  expect(outcomes.filter((outcome) => outcome === 'credited')).toHaveLength(1);
  expect(outcomes.filter((outcome) => outcome === null)).toHaveLength(7);
  const rows = await service.database.query(
    `SELECT kind, outcome, convert_from(body, 'UTF8') AS body FROM services.mpesa_callbacks ORDER BY id`,
  );
  expect(rows).toEqual([
    { kind: 'C2B_CONFIRMATION', outcome: 'QUARANTINED', body: broken },
    { kind: 'REPLAY', outcome: 'CREDITED', body: text },
  ]);
  expect(
    await service.database.query(`SELECT balance::text AS balance FROM core.wallets WHERE id = '${wallet}'`),
  ).toEqual([{ balance: '120.00' }]);
  const deposit = (await (await getDeposit(service, receipt)).json()) as { decisions: unknown[] };
  expect(deposit.decisions).toMatchObject([
    { decision: 'replayed', reason: request.reason, reference: receipt },
  ]);
  // It waits for nobody any more.
  expect(await list(service, '/callbacks?outcome=quarantined')).toEqual([]);
});

test('the confirmation that comes later all the same credits nothing more', async () => {
  await using service = await startTestService();
  const wallet = await openCustomerWallet(service.db);
  const { id, receipt, text } = await quarantineOne(service, wallet);
  await post(service, `/callbacks/${id}/replay`, { reason: 'as in the portal', body: text });
  await sendRaw(service.target, 'confirmation', Buffer.from(text));
  const deposit = (await (await getDeposit(service, receipt)).json()) as { callbacks: unknown[] };
  expect(deposit.callbacks).toHaveLength(3);
  expect(
    await service.database.query(`SELECT balance::text AS balance FROM core.wallets WHERE id = '${wallet}'`),
  ).toEqual([{ balance: '120.00' }]);
});

test('a body that still cannot be read stays where it is, and the answer says why', async () => {
  await using service = await startTestService();
  const { id } = await quarantineOne(service, '1000000009');
  const { status, body } = await post(service, `/callbacks/${id}/replay`, { reason: 'again' });
  expect(status).toBe(422);
  expect(body['detail']).toContain('TransAmount');
  expect(await list(service, '/callbacks?outcome=quarantined')).toMatchObject([{ id, decision: null }]);
});

test('what is decided in another way, has been credited or is unknown is not taken in', async () => {
  await using service = await startTestService();
  const { id, text } = await quarantineOne(service, '1000000009');
  await post(service, `/callbacks/${id}/resolution`, { decision: 'keep', reason: 'a probe' });
  const replay = { reason: 'again', body: text };
  expect(await post(service, `/callbacks/${id}/replay`, replay)).toMatchObject({
    status: 409,
    body: { code: 'already_resolved' },
  });
  const payment = createPayment(random, { account: '1', amount: '5.00' });
  await sendConfirmation(service.target, confirmationOf(payment, 'plain'));
  const [credited] = await list(service, '/callbacks?outcome=suspense');
  expect(await post(service, `/callbacks/${String(credited?.['id'])}/replay`, replay)).toMatchObject({
    status: 422,
    body: { code: 'nothing_to_resolve' },
  });
  expect(await post(service, `/callbacks/${randomUUID()}/replay`, replay)).toMatchObject({ status: 404 });
});

/** The callback of a request to a phone, in quarantine; the id of its row. */
async function quarantineStk(
  service: PaymentService,
  facts: Readonly<Record<string, unknown>>,
): Promise<string> {
  const response = await fetch(`${service.url}/stk/${TEST_TOKEN}/callback`, {
    method: 'POST',
    body: stkBody(facts),
  });
  expect(response.status).toBe(200);
  const [callback] = await list(service, '/callbacks?outcome=quarantined');
  expect(callback).toMatchObject({ kind: 'stk_callback' });
  return String(callback?.['id']);
}

function stkBody(facts: Readonly<Record<string, unknown>>): string {
  const items = { MpesaReceiptNumber: 'TKS0000009', Amount: 150, PhoneNumber: 254_700_000_126, ...facts };
  return JSON.stringify({
    Body: {
      stkCallback: {
        CheckoutRequestID: 'ws_CO_of_nobody',
        ResultCode: 0,
        CallbackMetadata: { Item: Object.entries(items).map(([Name, Value]) => ({ Name, Value })) },
      },
    },
  });
}

test('the callback of a request that was kept is taken in for its payment, once, and settles it', async () => {
  await using service = await startPaymentService();
  const wallet = await openCustomerWallet(service.db);
  const { body } = await postPayment(service, { wallet });
  const id = await quarantineStk(service, {});
  const request = { reason: 'M-PESA named it so', payment: body['id'] };
  const answers = await Promise.all(
    Array.from({ length: 6 }, () => post(service, `/callbacks/${id}/replay`, request)),
  );
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect(answers.filter((answer) => answer.body['outcome'] === 'credited')).toHaveLength(1);
  expect(await getPayment(service, body['id'])).toMatchObject({
    status: 'paid',
    receipt: 'TKS0000009',
    flagged: false,
  });
  expect(
    await service.database.query(`SELECT balance::text AS balance FROM core.wallets WHERE id = '${wallet}'`),
  ).toEqual([{ balance: '150.00' }]);
  const rows = await service.database.query(
    `SELECT kind, outcome, convert_from(body, 'UTF8') AS body FROM services.mpesa_callbacks ORDER BY id`,
  );
  expect(rows).toEqual([
    { kind: 'STK_CALLBACK', outcome: 'QUARANTINED', body: stkBody({}) },
    { kind: 'REPLAY', outcome: 'CREDITED', body: stkBody({}) },
  ]);
  expect(await list(service, '/callbacks?outcome=quarantined')).toEqual([]);
});

test('a callback whose amount cannot be read is corrected, and one that nobody asked for goes to suspense', async () => {
  await using service = await startPaymentService();
  const wallet = await openCustomerWallet(service.db);
  const { body } = await postPayment(service, { wallet });
  const id = await quarantineStk(service, { Amount: 'KES 150' });
  const refused = await post(service, `/callbacks/${id}/replay`, { reason: 'again' });
  expect([refused.status, refused.body['detail']]).toEqual([422, expect.stringContaining('TransAmount')]);
  const differs = { reason: 'r', body: stkBody({ Amount: 200 }), payment: body['id'] };
  const other = await post(service, `/callbacks/${id}/replay`, differs);
  expect([other.status, other.body['detail']]).toEqual([422, expect.stringContaining('amount')]);
  const unknown = { reason: 'r', body: stkBody({}), payment: randomUUID() };
  expect(await post(service, `/callbacks/${id}/replay`, unknown)).toMatchObject({ status: 404 });
  expect(await post(service, `/callbacks/${id}/replay`, { reason: 'r', body: stkBody({}) })).toMatchObject({
    status: 200,
    body: { receipt: 'TKS0000009', outcome: 'suspense' },
  });
  expect(await list(service, '/suspense')).toMatchObject([{ receipt: 'TKS0000009', amount: '150.00' }]);
  expect(await getPayment(service, body['id'])).toMatchObject({ status: 'pending' });
});

test('a callback that says that nothing was paid reports no payment', async () => {
  await using service = await startPaymentService();
  const id = await quarantineStk(service, { Amount: 'KES 150' });
  const failed = JSON.stringify({
    Body: { stkCallback: { CheckoutRequestID: 'ws_CO_1', ResultCode: 1032 } },
  });
  const refused = await post(service, `/callbacks/${id}/replay`, { reason: 'r', body: failed });
  expect([refused.status, refused.body['detail']]).toEqual([
    422,
    expect.stringContaining('nothing was paid'),
  ]);
});

test('a payment in suspense is marked as one that goes back, shows its age, and the mark is taken away again', async () => {
  await using service = await startTestService();
  const wallet = await openCustomerWallet(service.db);
  const payment = createPayment(random, { account: 'nobody', amount: '5.00', phone: '254700000199' });
  await sendConfirmation(service.target, confirmationOf(payment, 'plain'));
  const path = `/suspense/${payment.receipt}/refund`;
  const [before] = await list(service, '/suspense');
  expect(before).toMatchObject({ receipt: payment.receipt, refund: null });
  expect(before?.['ageSeconds']).toBeGreaterThanOrEqual(0);
  expect(await post(service, path, { decision: 'mark', reason: 'the payer asked' })).toMatchObject({
    status: 200,
  });
  expect(await list(service, '/suspense')).toMatchObject([
    { refund: { markedBy: expect.any(String) as string } },
  ]);
  await post(service, path, { decision: 'unmark', reason: 'they found the number' });
  expect(await list(service, '/suspense')).toMatchObject([{ refund: null }]);
  await post(service, `/suspense/${payment.receipt}/assignment`, { wallet });
  expect(await post(service, path, { decision: 'mark', reason: 'too late' })).toMatchObject({
    status: 409,
    body: { code: 'already_assigned' },
  });
});
