import { withoutChance } from '@repo/testing/chance';
import { createDb } from '@repo/db';
import { OUTCOMES } from '@repo/simulator';
import type { OutcomeName } from '@repo/simulator';
import { until } from '@repo/testing/until';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createDaraja } from '../daraja/client.ts';
import { getDeposit, openCustomerWallet, startTestService, TEST_KEY, TEST_TOKEN } from '../testing.ts';
import {
  accountAt,
  eventKinds,
  getPayment,
  postPayment,
  startPaymentService,
  untilStatus,
} from './testing.ts';
import type { PaymentService } from './testing.ts';

const PHONE = '254700000126';
const FAILURES = Object.keys(OUTCOMES).filter((name) => name !== 'paid') as OutcomeName[];

let service: PaymentService;
let wallet: string;

beforeAll(async () => {
  service = await startPaymentService();
  wallet = await openCustomerWallet(service.db);
});
afterAll(() => service[Symbol.asyncDispose]());
beforeEach(() => {
  service.daraja.configure({ behaviour: () => ({}), fault: () => null });
});

const balance = async () => {
  const [row] = await service.database.query(
    `SELECT balance::text AS balance FROM core.wallets WHERE id = '${wallet}'`,
  );
  return Number(row?.['balance']);
};

test('a payment that is asked for, accepted and paid is credited by its receipt', async () => {
  const asked = await postPayment(service, { wallet });
  expect(asked).toMatchObject({
    status: 202,
    body: { status: 'pending', wallet, amount: '150.00', phone: '2547*****126', reference: wallet },
  });
  await service.daraja.answerPrompt(PHONE, 'paid');
  const paid = service.daraja.book().payments.at(-1);
  const payment = await getPayment(service, asked.body['id']);
  expect(payment).toMatchObject({ status: 'paid', receipt: paid?.receipt, flagged: false });
  expect(payment['checkoutRequestId']).toBe(paid?.checkoutRequestId);
  expect(eventKinds(payment)).toEqual(['requested', 'accepted', 'paid']);
  const deposit = await getDeposit(service, paid?.receipt ?? '');
  expect(await deposit.json()).toMatchObject({
    outcome: 'credited',
    wallet,
    amount: '150.00',
    callbacks: [{ kind: 'stk_callback', outcome: 'credited' }],
  });
});

test.for(FAILURES)(
  'a prompt that ends with %s fails the payment, says why, and moves nothing',
  async (outcome) => {
    service.daraja.configure({ behaviour: () => ({ outcome }) });
    const before = await balance();
    const { body } = await postPayment(service, { wallet });
    const payment = await untilStatus(service, body['id'], 'failed');
    expect(payment).toMatchObject({ resultCode: String(OUTCOMES[outcome].code) });
    expect(payment['reason']).toMatch(/^[a-z_]+$/);
    expect(payment['customerMessage']).toMatch(/\.$/);
    expect(await balance()).toBe(before);
  },
);

test('a payment that was called failed is settled by a receipt that comes late', async () => {
  service.daraja.configure({ behaviour: () => ({ outcome: 'no-answer', thenPaid: 'callback' }) });
  const before = await balance();
  const { body } = await postPayment(service, { wallet });
  expect(eventKinds(await untilStatus(service, body['id'], 'paid'))).toEqual(
    expect.arrayContaining(['failed', 'paid']),
  );
  expect(await balance()).toBe(before + 150);
});

test('the callback may come before the answer to the request', async () => {
  service.daraja.configure({ behaviour: () => ({ outcome: 'paid', when: 'before' }) });
  const { body } = await postPayment(service, { wallet });
  expect(body).toMatchObject({ status: 'paid' });
});

test.for(['lost-after', 'cut', 'unreadable'] as const)(
  'a request whose answer is %s is unknown, is not sent again, and its callback settles it',
  async (fault) => {
    service.daraja.configure({ behaviour: () => ({ fault }) });
    const before = service.daraja.prompts().length;
    const { status, body } = await postPayment(service, { wallet }, `lost ${fault}`.replaceAll(' ', '-'));
    expect([status, body['status']]).toEqual([202, 'unknown']);
    const again = await postPayment(service, { wallet }, `lost ${fault}`.replaceAll(' ', '-'));
    expect(again.body).toMatchObject({ id: body['id'], status: 'unknown' });
    expect(service.daraja.prompts()).toHaveLength(before + 1);
    await service.daraja.answerPrompt(PHONE, 'paid');
    expect(await getPayment(service, body['id'])).toMatchObject({ status: 'paid', flagged: false });
  },
);

test.for(['system-busy', 'spike-arrest', 'throttled', 'busy-subscriber'] as const)(
  'after %s the request is sent again, and prompts once',
  async (fault) => {
    const phone = '0700000177';
    service.daraja.configure({
      behaviour: (_request, attempt) => (attempt < 2 ? { fault } : { outcome: 'paid' }),
    });
    const amount = String(200 + fault.length);
    const { body } = await postPayment(service, { wallet, phone, amount });
    const payment = await untilStatus(service, body['id'], 'paid');
    expect(eventKinds(payment).filter((kind) => kind === 'retry')).toHaveLength(2);
  },
);

test.for([
  ['wrong-credentials', 'wrong_credentials'],
  ['no-merchant', 'no_such_merchant'],
] as const)('%s fails the payment at once as %s', async ([fault, reason]) => {
  service.daraja.configure({ behaviour: () => ({ fault }) });
  const { body } = await postPayment(service, { wallet });
  expect(body).toMatchObject({ status: 'failed', reason });
});

test('a token that ended early is fetched again, once for all who need it', async () => {
  service.daraja.configure({ behaviour: () => ({ outcome: 'cancelled' }) });
  const issued = service.daraja.tokensIssued();
  service.daraja.revokeToken();
  await Promise.all(
    Array.from({ length: 8 }, (_, at) => postPayment(service, { wallet, phone: `070000020${String(at)}` })),
  );
  expect(service.daraja.tokensIssued()).toBe(issued + 1);
});

test('several processes share one token, and the database holds nothing that can be used', async () => {
  const others = Array.from({ length: 4 }, () => createDb({ url: service.database.url }));
  const clients = others.map((db) => createDaraja(db, accountAt(service.daraja)));
  const issued = service.daraja.tokensIssued();
  service.daraja.revokeToken();
  const verdicts = await Promise.all(clients.map((client) => client.query('ws_CO_0')));
  expect(verdicts.map(({ reason }) => reason)).toEqual(clients.map(() => 'no_such_transaction'));
  expect(service.daraja.tokensIssued()).toBe(issued + 1);
  await Promise.all(clients.map((client) => client.close()));
  await Promise.all(others.map((db) => db.close()));
  const [row] = await service.database.query(
    `SELECT encode(token, 'escape') AS token, length(token) AS length FROM services.daraja_tokens`,
  );
  expect(row?.['length']).toBe(12 + 16 + 28);
  expect(row?.['token']).not.toMatch(/^[A-Za-z0-9]+$/);
});

async function postCallback(body: unknown, path = 'callback'): Promise<number> {
  const response = await fetch(`${service.url}/stk/${TEST_TOKEN}/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  return response.status;
}

const paidBody = (id: string, receipt: string, amount: unknown) => ({
  Body: {
    stkCallback: {
      MerchantRequestID: '1-1',
      CheckoutRequestID: id,
      ResultCode: '0',
      ResultDesc: 'ok',
      CallbackMetadata: {
        Item: [
          { Name: 'PhoneNumber', Value: Number(PHONE) },
          { Name: 'Balance' },
          { Name: 'MpesaReceiptNumber', Value: receipt },
          { Name: 'Amount', Value: amount },
        ],
      },
    },
  },
});

async function inboxOf(receipt: string) {
  return service.database.query(
    `SELECT outcome, error FROM services.mpesa_callbacks WHERE receipt = '${receipt}'`,
  );
}

test('a callback for a checkout that nobody asked for is kept, credits nobody and is listed', async () => {
  expect(await postCallback(paidBody('ws_CO_unknown', 'TKS0000001', 150))).toBe(200);
  expect(await inboxOf('TKS0000001')).toEqual([{ outcome: 'QUARANTINED', error: 'unknown_checkout' }]);
  const listed = await fetch(`${service.url}/callbacks?outcome=quarantined&receipt=TKS0000001`, {
    headers: { authorization: `Bearer ${TEST_KEY}` },
  });
  expect(await listed.json()).toMatchObject({ items: [{ kind: 'stk_callback', error: 'unknown_checkout' }] });
});

test('a callback with another amount than what was asked for credits nobody and flags the payment', async () => {
  const { body } = await postPayment(service, { wallet });
  const before = await balance();
  await postCallback(paidBody(String(body['checkoutRequestId']), 'TKS0000002', 15_000));
  expect(await inboxOf('TKS0000002')).toEqual([{ outcome: 'QUARANTINED', error: 'amount_differs' }]);
  expect(await getPayment(service, body['id'])).toMatchObject({ status: 'pending', flagged: true });
  expect(await balance()).toBe(before);
  await service.daraja.answerPrompt(PHONE, 'paid');
  await untilStatus(service, body['id'], 'paid');
});

test('a callback without the id of its payment in the path finds it by its CheckoutRequestID', async () => {
  const { body } = await postPayment(service, { wallet, phone: '0700000139' });
  expect(await postCallback(paidBody(String(body['checkoutRequestId']), 'TKS0000003', '150.00'))).toBe(200);
  expect(await getPayment(service, body['id'])).toMatchObject({ status: 'paid', receipt: 'TKS0000003' });
});

test('without the settings nothing can be asked for, and the rest works', async () => {
  await using plain = await startTestService();
  const number = await openCustomerWallet(plain.db);
  expect(await postPayment(plain, { wallet: number })).toMatchObject({
    status: 503,
    body: { code: 'payments_not_configured' },
  });
  const listed = await fetch(`${plain.url}/payments`, { headers: { authorization: `Bearer ${TEST_KEY}` } });
  expect(await listed.json()).toEqual({ items: [], nextCursor: null });
});

test('no log line names a CheckoutRequestID, a phone, a token or a secret', async () => {
  await until('lines', () => service.lines.length > 0);
  const text = withoutChance(service.lines.join(''));
  for (const secret of [
    /ws_CO_/,
    /2547\d{8}/,
    /07\d{8}/,
    /simulated-(key|secret|passkey)/,
    /Bearer [A-Za-z0-9]/,
  ]) {
    expect(text).not.toMatch(secret);
  }
});
