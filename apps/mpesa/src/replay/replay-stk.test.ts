import { randomUUID } from 'node:crypto';
import { confirmationOf, createPayment, createRandom, sendConfirmation } from '@repo/simulator';
import { until } from '@repo/testing/until';
import { expect, test } from 'vitest';
import { eventKinds, getPayment, postPayment, startPaymentService } from '../payments/testing.ts';
import type { PaymentService } from '../payments/testing.ts';
import { getDeposit, openCustomerWallet, startTestService, TEST_TOKEN } from '../testing.ts';
import { ask, list, post, quarantineStk, stkBody } from './testing.ts';

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
    { kind: 'STK_REPLAY', outcome: 'CREDITED', body: stkBody({}) },
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
  expect(await post(service, `/callbacks/${id}/replay`, unknown)).toMatchObject({
    status: 404,
    body: { code: 'unknown_payment' },
  });
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

const RECEIPT = 'TKS0000009';

interface AskedFor {
  readonly id: string;
  readonly wallet: string;
}

/** A payment that its phone was asked for; for a wallet of its own unless one is given. */
async function askFor(
  service: PaymentService,
  to?: string,
): Promise<AskedFor & { readonly checkout: string }> {
  const wallet = to ?? (await openCustomerWallet(service.db));
  const { body } = await postPayment(service, { wallet });
  return { id: String(body['id']), wallet, checkout: String(body['checkoutRequestId']) };
}

async function balanceOf(service: PaymentService, wallet: string): Promise<unknown> {
  const [row] = await service.database.query(
    `SELECT balance::text AS balance FROM core.wallets WHERE id = '${wallet}'`,
  );
  return row?.['balance'];
}

const replay = (
  service: PaymentService,
  id: string,
  {
    key,
    ...asked
  }: { readonly key?: string; readonly body?: string; readonly payment?: string; readonly reason?: string },
) => {
  const body = { reason: 'as in the portal', ...asked };
  return ask(service, { path: `/callbacks/${id}/replay`, body, ...(key === undefined ? {} : { key }) });
};

test('for a payment that is paid it is a second receipt, which takes no other payment of the wallet for its own', async () => {
  await using service = await startPaymentService();
  const paid = await askFor(service);
  await service.daraja.answerPrompt('254700000126', 'paid');
  const open = await askFor(service, paid.wallet);
  const id = await quarantineStk(service, {});
  expect(await replay(service, id, { payment: paid.id })).toMatchObject({
    status: 200,
    body: { receipt: RECEIPT, outcome: 'credited' },
  });
  expect(await balanceOf(service, paid.wallet)).toBe('300.00');
  const payment = await getPayment(service, paid.id);
  expect(payment).toMatchObject({ status: 'paid', flagged: true });
  expect(eventKinds(payment)).toContain('second_receipt');
  expect(await getPayment(service, open.id)).toMatchObject({ status: 'pending', flagged: false });
});

test('a receipt whose money waits in suspense settles the payment, and its wallet gets the money', async () => {
  await using service = await startPaymentService();
  const { id: payment, wallet } = await askFor(service);
  const { shortCode } = service.daraja;
  const facts = { account: 'NOBODY', amount: '150.00', receipt: RECEIPT, phone: '254700000126', shortCode };
  await sendConfirmation(
    service.target,
    confirmationOf(createPayment(createRandom('replay-stk'), facts), 'plain'),
  );
  const id = await quarantineStk(service, {});
  expect(await replay(service, id, { payment })).toMatchObject({
    status: 200,
    body: { outcome: 'duplicate' },
  });
  expect(await getPayment(service, payment)).toMatchObject({ status: 'paid', receipt: RECEIPT });
  await until('the money in its wallet', () => balanceOf(service, wallet), {
    isFit: (is) => is === '150.00',
  });
});

test('a receipt of another payment moves nothing, and both payments are flagged', async () => {
  await using service = await startPaymentService();
  const owner = await askFor(service);
  await service.daraja.answerPrompt('254700000126', 'paid');
  const receipt = service.daraja.book().payments.at(-1)?.receipt;
  const claimant = await askFor(service);
  const id = await quarantineStk(service, { MpesaReceiptNumber: receipt });
  expect(await replay(service, id, { payment: claimant.id })).toMatchObject({
    status: 200,
    body: { receipt, outcome: 'duplicate' },
  });
  const payment = await getPayment(service, claimant.id);
  expect(payment).toMatchObject({ status: 'pending', flagged: true });
  expect(eventKinds(payment).slice(-2)).toEqual(['other_payment', 'other_wallet']);
  // Its owner is asked about, too: a message says that the receipt is for another wallet.
  const owning = await getPayment(service, owner.id);
  expect(owning).toMatchObject({ status: 'paid', receipt, flagged: true });
  expect(eventKinds(owning).at(-1)).toBe('other_wallet');
  expect([await balanceOf(service, owner.wallet), await balanceOf(service, claimant.wallet)]).toEqual([
    '150.00',
    '0.00',
  ]);
});

test('a payment of another wallet is not taken for the one that M-PESA calls so', async () => {
  await using service = await startPaymentService();
  const called = await askFor(service);
  const other = await askFor(service);
  const kept = { Amount: 'KES 150' };
  const id = await quarantineStk(service, kept, { checkoutRequestId: called.checkout });
  const body = stkBody({}, called.checkout);
  const refused = await replay(service, id, { body, payment: other.id });
  expect([refused.status, refused.body['detail']]).toEqual([422, expect.stringContaining('another payment')]);
  expect(await list(service, '/callbacks?outcome=quarantined')).toMatchObject([{ id, decision: null }]);
  expect(await replay(service, id, { body })).toMatchObject({ status: 200, body: { outcome: 'credited' } });
  expect([await balanceOf(service, called.wallet), await balanceOf(service, other.wallet)]).toEqual([
    '150.00',
    '0.00',
  ]);
});

test('a corrected callback settles the payment whose URL it came to, without anybody naming it', async () => {
  await using service = await startPaymentService();
  const { id: payment, wallet } = await askFor(service);
  const id = await quarantineStk(service, { Amount: 'KES 150' }, { paymentId: payment });
  expect(await getPayment(service, payment)).toMatchObject({ status: 'pending', flagged: true });
  const corrected = await replay(service, id, { body: stkBody({}) });
  expect(corrected).toMatchObject({ status: 200, body: { outcome: 'credited' } });
  // It waits for nobody any more.
  expect(await getPayment(service, payment)).toMatchObject({
    status: 'paid',
    receipt: RECEIPT,
    flagged: false,
  });
  expect(await balanceOf(service, wallet)).toBe('150.00');
});

test('of two callbacks that contradict a payment each needs a decision before it waits for nobody', async () => {
  await using service = await startPaymentService();
  const { id: payment } = await askFor(service);
  const differs = { Amount: 200 };
  const first = await quarantineStk(service, differs, { paymentId: payment });
  const second = await quarantineStk(service, differs, { paymentId: payment });
  const flagged = async () => (await getPayment(service, payment))['flagged'];
  for (const [id, isLeft] of [
    [first, true],
    [second, false],
  ] as const) {
    expect(await flagged()).toBe(true);
    const kept = { decision: 'keep', reason: 'the token was stolen' };
    expect(await post(service, `/callbacks/${id}/resolution`, kept)).toMatchObject({ status: 200 });
    expect(await flagged()).toBe(isLeft);
  }
  // The true callback settles it, and nothing is left to look at.
  const url = `${service.url}/stk/${TEST_TOKEN}/callback/${payment}`;
  await fetch(url, { method: 'POST', body: stkBody({ MpesaReceiptNumber: 'TKS0000010' }) });
  expect(await getPayment(service, payment)).toMatchObject({ status: 'paid', flagged: false });
});

test('a corrected receipt is the one that counts; both bodies stay, and the other receipt is another deposit', async () => {
  await using service = await startPaymentService();
  const { id: payment, wallet } = await askFor(service);
  const id = await quarantineStk(service, {});
  const body = stkBody({ MpesaReceiptNumber: 'TKS0000010' });
  expect(await replay(service, id, { body, payment })).toMatchObject({
    body: { receipt: 'TKS0000010', outcome: 'credited' },
  });
  const rows = await service.database.query(
    `SELECT kind, receipt, outcome, convert_from(body, 'UTF8') AS body FROM services.mpesa_callbacks ORDER BY id`,
  );
  expect(rows).toEqual([
    { kind: 'STK_CALLBACK', receipt: RECEIPT, outcome: 'QUARANTINED', body: stkBody({}) },
    { kind: 'STK_REPLAY', receipt: 'TKS0000010', outcome: 'CREDITED', body },
  ]);
  const deposit = (await (await getDeposit(service, 'TKS0000010')).json()) as { decisions: unknown[] };
  expect(deposit.decisions).toMatchObject([{ decision: 'replayed', reference: 'TKS0000010' }]);
  await fetch(`${service.url}/stk/${TEST_TOKEN}/callback/${payment}`, { method: 'POST', body: stkBody({}) });
  expect(await getPayment(service, payment)).toMatchObject({ receipt: 'TKS0000010', flagged: true });
  expect(await balanceOf(service, wallet)).toBe('300.00');
});

test('it is taken in once: later requests get the receipt of then, and a key names one request', async () => {
  await using service = await startPaymentService();
  const [first, second] = [await askFor(service), await askFor(service)];
  const id = await quarantineStk(service, {});
  const key = randomUUID();
  const asked = { payment: first.id };
  const credited = { status: 200, body: { id, receipt: RECEIPT, outcome: 'credited' } };
  const before = { status: 200, body: { id, receipt: RECEIPT, outcome: null } };
  expect(await replay(service, id, { ...asked, key })).toEqual(credited);
  expect(await replay(service, id, { ...asked, key })).toEqual(before);
  expect(await replay(service, id, { payment: second.id })).toEqual(before);
  const otherBody = stkBody({ MpesaReceiptNumber: 'TKS0000010' });
  expect(await replay(service, id, { ...asked, body: otherBody })).toEqual(before);
  for (const other of [{ payment: second.id }, { ...asked, body: otherBody }, { ...asked, reason: 'r' }]) {
    expect(await replay(service, id, { ...other, key })).toMatchObject({
      status: 409,
      body: { code: 'key_reused' },
    });
  }
  expect([await balanceOf(service, first.wallet), await balanceOf(service, second.wallet)]).toEqual([
    '150.00',
    '0.00',
  ]);
});

test('two callbacks of one receipt, and the live one, are taken in at once, and one of them credits', async () => {
  await using service = await startPaymentService();
  const { id: payment, wallet } = await askFor(service);
  const ids = [await quarantineStk(service, {}), await quarantineStk(service, {})];
  const live = fetch(`${service.url}/stk/${TEST_TOKEN}/callback/${payment}`, {
    method: 'POST',
    body: stkBody({}),
  });
  const answers = await Promise.all(ids.map((id) => replay(service, id, { payment })));
  await live;
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect(await balanceOf(service, wallet)).toBe('150.00');
  expect(await getPayment(service, payment)).toMatchObject({ status: 'paid', flagged: false });
  const outcomes = await service.database.query(
    `SELECT outcome FROM services.mpesa_callbacks WHERE outcome <> 'QUARANTINED' ORDER BY outcome`,
  );
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(['CREDITED', 'DUPLICATE', 'DUPLICATE']);
});

test('what reports no payment of a phone says so, and the key can be used for the corrected body', async () => {
  await using service = await startPaymentService();
  const { id: payment, wallet } = await askFor(service);
  const id = await quarantineStk(service, { Amount: 'KES 150' });
  const key = randomUUID();
  const confirmation = JSON.stringify({
    TransID: RECEIPT,
    TransTime: '20261128101500',
    TransAmount: '150.00',
    BusinessShortCode: '600100',
    BillRefNumber: wallet,
  });
  const result = JSON.stringify({ Result: { ResultType: 0, ResultCode: 2032, ResultDesc: 'x' } });
  for (const [asked, why] of [
    [{ payment }, 'TransAmount'],
    [{ payment, body: '{"Body":' }, 'not JSON'],
    [{ payment, body: confirmation }, 'leave `payment` out'],
    [{ payment, body: result }, 'M-PESA is asked about its receipt'],
    [{ payment, body: stkBody({ Amount: 151 }) }, 'not what the phone was asked for'],
  ] as const) {
    const { status, body } = await replay(service, id, { ...asked, key });
    expect([status, body['detail']]).toEqual([422, expect.stringContaining(why)]);
  }
  expect(await list(service, '/callbacks?outcome=quarantined')).toMatchObject([{ id, decision: null }]);
  expect(await replay(service, id, { payment, body: stkBody({}), key })).toMatchObject({
    status: 200,
    body: { outcome: 'credited' },
  });
});

test('what a person has decided otherwise says so, whatever its body says', async () => {
  await using service = await startPaymentService();
  const id = await quarantineStk(service, { Amount: 'KES 150' });
  await post(service, `/callbacks/${id}/resolution`, { decision: 'keep', reason: 'a probe' });
  expect(await replay(service, id, {})).toMatchObject({ status: 409, body: { code: 'already_resolved' } });
});

test('where phones are not asked, a callback is taken in with the payment that it is about, or not at all', async () => {
  await using service = await startTestService();
  await fetch(`${service.url}/stk/${TEST_TOKEN}/callback`, { method: 'POST', body: stkBody({}) });
  const [callback] = await list(service, '/callbacks?outcome=quarantined');
  const path = `/callbacks/${String(callback?.['id'])}/replay`;
  const refused = await post(service, path, { reason: 'r' });
  expect([refused.status, refused.body['detail']]).toEqual([
    422,
    expect.stringContaining('name its payment'),
  ]);
});
