import { withoutChance } from '@repo/testing/chance';
import {
  confirmationOf,
  createPayment,
  createRandom,
  C2B_SHAPES,
  sendConfirmation,
  sendRaw,
  sendValidation,
  validationOf,
} from '@repo/simulator';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { getDeposit, openCustomerWallet, startTestService, TEST_KEY, useTestService } from './testing.ts';
import type { TestService } from './testing.ts';

const service = useTestService();

const random = createRandom('app.test');
const ACKNOWLEDGED = { status: 200, body: '{"ResultCode":0,"ResultDesc":"Accepted"}', accepted: true };

/** Of the service that the tests share: what was in its inbox before this one. */
let before: unknown[] = [];
beforeEach(async () => {
  before = (await service.database.query('SELECT id FROM services.mpesa_callbacks')).map(({ id }) => id);
});

/** What this test brought into the inbox, in the order of arrival. */
function readInbox({ database }: TestService) {
  return database.query(
    `SELECT kind, receipt, outcome, error, convert_from(body, 'UTF8') AS body
       FROM services.mpesa_callbacks WHERE id <> ALL ('{${before.join(',')}}') ORDER BY received_at, id`,
  );
}

async function balanceOf({ database }: TestService, wallet: string): Promise<unknown> {
  const rows = await database.query(`SELECT balance::text FROM core.wallets WHERE id = '${wallet}'`);
  return rows[0]?.['balance'];
}

test.each(C2B_SHAPES)(
  'a %s payment is acknowledged, recorded with its exact amount and time, and kept as it came',
  async (shape) => {
    await using own = await startTestService();
    const account = await openCustomerWallet(own.db);
    const payment = createPayment(random, {
      account,
      amount: '1520.50',
      paidAt: new Date('2026-08-04T06:13:30Z'),
    });
    const message = confirmationOf(payment, shape);
    expect(await sendConfirmation(own.target, message)).toEqual(ACKNOWLEDGED);

    const hasAccount = message.BillRefNumber === account;
    const deposit = (await (await getDeposit(own, payment.receipt)).json()) as Record<string, unknown>;
    expect(deposit).toMatchObject({
      receipt: payment.receipt,
      outcome: hasAccount ? 'credited' : 'suspense',
      ...(hasAccount ? { wallet: account } : { reason: 'no_account' }),
      amount: '1520.50',
      reference: payment.receipt,
      paidAt: '2026-08-04T06:13:30.000Z',
      verificationHash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      callbacks: [{ kind: 'c2b_confirmation', outcome: hasAccount ? 'credited' : 'suspense' }],
    });
    expect(await readInbox(own)).toMatchObject([{ receipt: payment.receipt, body: JSON.stringify(message) }]);
  },
);

test('a payment that is reported again is acknowledged again and credited once', async () => {
  await using own = await startTestService();
  const account = await openCustomerWallet(own.db);
  const message = confirmationOf(createPayment(random, { account, amount: '100.00' }));
  for (let repeat = 0; repeat < 3; repeat += 1) {
    expect(await sendConfirmation(own.target, message)).toEqual(ACKNOWLEDGED);
  }
  expect(await balanceOf(own, account)).toBe('100.00');
  expect((await readInbox(own)).map((row) => row['outcome'])).toEqual(['CREDITED', 'DUPLICATE', 'DUPLICATE']);
});

test('the same receipt with another amount is acknowledged as a conflict and moves no money', async () => {
  const account = await openCustomerWallet(service.db);
  const message = confirmationOf(createPayment(random, { account, amount: '100.00' }));
  await sendConfirmation(service.target, message);
  expect(await sendConfirmation(service.target, { ...message, TransAmount: '900.00' })).toEqual(ACKNOWLEDGED);
  expect(await balanceOf(service, account)).toBe('100.00');
  const deposit = (await (await getDeposit(service, message.TransID)).json()) as {
    amount: string;
    callbacks: unknown[];
  };
  expect(deposit.amount).toBe('100.00');
  expect(deposit.callbacks).toMatchObject([{ outcome: 'credited' }, { outcome: 'conflict' }]);
});

test('a receipt in lower case with spaces is the same receipt', async () => {
  await using own = await startTestService();
  const account = await openCustomerWallet(own.db);
  const message = confirmationOf(createPayment(random, { account, amount: '100.00' }));
  await sendConfirmation(own.target, message);
  await sendConfirmation(own.target, { ...message, TransID: ` ${message.TransID.toLowerCase()} ` });
  expect((await readInbox(own)).map((row) => row['outcome'])).toEqual(['CREDITED', 'DUPLICATE']);
  expect((await getDeposit(own, message.TransID.toLowerCase())).status).toBe(200);
});

test('a validation credits nothing, and the confirmation after it does', async () => {
  await using own = await startTestService();
  const account = await openCustomerWallet(own.db);
  const payment = createPayment(random, { account, amount: '100.00' });
  const answer = await sendValidation(own.target, validationOf(payment));
  expect(answer).toEqual({ status: 200, body: '{"ResultCode":"0","ResultDesc":"Accepted"}', accepted: true });
  expect(await balanceOf(own, account)).toBe('0.00');
  expect(await (await getDeposit(own, payment.receipt)).json()).toMatchObject({
    outcome: 'none',
    callbacks: [{ kind: 'c2b_validation', outcome: 'validated', error: null }],
  });

  await sendConfirmation(own.target, confirmationOf(payment));
  expect(await balanceOf(own, account)).toBe('100.00');
  expect((await readInbox(own)).map((row) => row['outcome'])).toEqual(['VALIDATED', 'CREDITED']);
});

const RECEIPT = 'UH4SP1L7W6';
const FACTS = `"TransID":"${RECEIPT}","TransTime":"20260804091330","BusinessShortCode":"600100"`;

test.each([
  ['nothing', { body: '', error: 'body_empty', read: null }],
  ['bytes that are not text', { body: Buffer.from([0xff, 0x00]), error: 'body_not_utf8', read: null }],
  ['a form', { body: `TransID=${RECEIPT}&TransAmount=10`, error: 'body_not_json', read: null }],
  [
    'a message that lacks commas',
    { body: `{"TransID":"${RECEIPT}" "TransAmount":"10"}`, error: 'body_not_json', read: RECEIPT },
  ],
  ['a list', { body: '[]', error: 'body_not_object', read: null }],
  ['a wrong amount', { body: `{${FACTS},"TransAmount":"ten"}`, error: 'amount_invalid', read: RECEIPT }],
  ['part of a cent', { body: `{${FACTS},"TransAmount":1.005}`, error: 'amount_below_cent', read: RECEIPT }],
  [
    'two amounts',
    { body: `{${FACTS},"TransAmount":"10","TransAmount":"20"}`, error: 'duplicate_key', read: RECEIPT },
  ],
])('%s is acknowledged and kept in quarantine', async (_what, { body, error, read }) => {
  await using own = await startTestService();
  expect(await sendRaw(own.target, 'confirmation', body)).toEqual(ACKNOWLEDGED);
  const rows = await own.database.query(
    `SELECT outcome, error, receipt, encode(body, 'hex') AS body FROM services.mpesa_callbacks`,
  );
  expect(rows).toEqual([
    { outcome: 'QUARANTINED', error, receipt: read, body: Buffer.from(body).toString('hex') },
  ]);
  const metrics = await fetch(`${own.url}/metrics`, { headers: { authorization: `Bearer ${TEST_KEY}` } });
  expect(await metrics.text()).toContain(
    `mpesa_callbacks_quarantined_total{reason="${error}",service="mpesa"} 1`,
  );
});

test('text that the database cannot hold does not stop a payment', async () => {
  await using own = await startTestService();
  const account = await openCustomerWallet(own.db);
  const body = `{${FACTS},"TransAmount":10.00,"BillRefNumber":"${account}","FirstName":"A\\u0000\\ud800","X":1e400000}`;
  expect(await sendRaw(own.target, 'confirmation', body)).toEqual(ACKNOWLEDGED);
  expect(await balanceOf(own, account)).toBe('10.00');
  expect(await readInbox(own)).toMatchObject([{ outcome: 'CREDITED', body }]);
  const rows = await own.database.query('SELECT raw_payload FROM services.mpesa_logs');
  expect(rows).toMatchObject([{ raw_payload: { FirstName: 'A\uFFFD\uFFFD', X: '1e400000' } }]);
});

test('a body over 64 KiB is refused with 413 and its beginning is kept', async () => {
  await using own = await startTestService();
  const body = Buffer.alloc(65_537, '{"TransID":"');
  const answer = await sendRaw(own.target, 'confirmation', body);
  expect(answer.status).toBe(413);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'body_too_large' });
  const rows = await own.database.query(
    'SELECT outcome, error, length(body) AS length FROM services.mpesa_callbacks',
  );
  expect(rows).toEqual([
    { outcome: 'QUARANTINED', error: 'body_too_large: 65536 of 65537 bytes kept', length: 65_536 },
  ]);
});

test('a wrong token is answered exactly like an unknown path, and nothing is stored', async () => {
  await using own = await startTestService();
  const post = async (path: string) => {
    const response = await fetch(`${own.url}${path}`, {
      method: 'POST',
      body: `{${FACTS},"TransAmount":"10"}`,
    });
    const { requestId, ...body } = (await response.json()) as Record<string, unknown>;
    const headers = [...response.headers].filter(([name]) => !['date', 'x-request-id'].includes(name));
    expect(requestId).toBe(response.headers.get('x-request-id'));
    return { status: response.status, headers, body };
  };
  const unknown = await post('/nothing/V1StGXR8Z5jdHi6BmyT0kL9w/confirmation');
  expect(unknown.status).toBe(404);
  expect(await post('/c2b/wrong/confirmation')).toEqual(unknown);
  expect(await post('/c2b/wrong/nothing')).toEqual(unknown);
  expect(await post(`/c2b/${'w'.repeat(8_000)}/validation`)).toEqual(unknown);
  expect(await readInbox(own)).toEqual([]);
});

test('a deposit that fails by itself is kept as FAILED and acknowledged, and its neighbours are credited', async () => {
  const account = await openCustomerWallet(service.db);
  await service.database.query(
    `CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'out of order'; END $$;
     CREATE TRIGGER refuse BEFORE INSERT ON services.mpesa_logs FOR EACH ROW
       WHEN (NEW.mpesa_receipt = 'POISON0000') EXECUTE FUNCTION public.refuse()`,
  );
  const payments = ['GOOD000001', 'POISON0000', 'GOOD000002'].map((each) => {
    return confirmationOf(createPayment(random, { account, amount: '10.00', receipt: each }));
  });
  const answers = await Promise.all(payments.map((message) => sendConfirmation(service.target, message)));
  expect(answers).toEqual([ACKNOWLEDGED, ACKNOWLEDGED, ACKNOWLEDGED]);
  expect(await balanceOf(service, account)).toBe('20.00');
  const rows = await service.database.query(
    `SELECT outcome, error FROM services.mpesa_callbacks WHERE receipt = 'POISON0000'`,
  );
  expect(rows).toEqual([{ outcome: 'FAILED', error: 'deposit_failed' }]);
});

test('a payment that no wallet can hold is acknowledged and kept as FAILED', async () => {
  await using own = await startTestService();
  const account = await openCustomerWallet(own.db);
  const amount = '99999999999999999.99';
  await own.database.query(
    `SELECT core.post_transactions(
       ARRAY['PAID-BEFORE'], ARRAY['TRANSFER'], ARRAY['MPESA-FLOAT'], ARRAY['${account}'], ARRAY[NULL]::text[],
       ARRAY[${amount}], ARRAY['KES'], ARRAY[NULL]::text[], ARRAY[NULL]::text[], ARRAY[NULL]::uuid[])`,
  );
  const message = confirmationOf(createPayment(random, { account, amount: '0.01' }));
  expect(await sendConfirmation(own.target, message)).toEqual(ACKNOWLEDGED);
  expect((await readInbox(own)).map((row) => row['outcome'])).toEqual(['FAILED']);
  expect(await balanceOf(own, account)).toBe(amount);
});

test('a deposit is shown only to callers with a key, and an unknown receipt is a 404', async () => {
  await using own = await startTestService();
  expect((await fetch(`${own.url}/deposits/${RECEIPT}`)).status).toBe(401);
  const response = await getDeposit(own, RECEIPT);
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({
    code: 'not_found',
    detail: expect.stringContaining('receipt') as string,
  });
  expect((await getDeposit(own, 'not-a-receipt')).status).toBe(404);
});

test('neither the log nor the metrics hold a number, a name, an account, a body or the token', async () => {
  await using own = await startTestService({
    validation: 'strict',
    sourceCheck: { mode: 'log', allowlist: [] },
  });
  const account = await openCustomerWallet(own.db);
  const payment = createPayment(random, {
    account,
    phone: '254700000126',
    firstName: 'ATIENO',
    lastName: 'OTIENO',
  });
  await sendValidation(own.target, validationOf({ ...payment, account: '5550001112' }, 'plain'));
  await sendConfirmation(own.target, confirmationOf(payment, 'plain'));
  await sendConfirmation(own.target, { ...confirmationOf(payment, 'plain'), TransAmount: 'ATIENO' });
  await sendRaw(own.target, 'confirmation', '{"MSISDN":"254700000126",');
  own.network.cut();
  await sendConfirmation(
    own.target,
    confirmationOf(createPayment(random, { account, phone: '254700000126' }), 'plain'),
  );
  own.network.restore();
  const metrics = await (
    await fetch(`${own.url}/metrics`, { headers: { authorization: `Bearer ${TEST_KEY}` } })
  ).text();
  const written = withoutChance(`${own.lines.join('')}${metrics}`);
  expect(written).toContain('the request');
  for (const secret of [
    '254700000126',
    '700000126',
    'ATIENO',
    'OTIENO',
    account,
    '5550001112',
    'V1StGXR8Z5jdHi6BmyT0kL9w',
  ]) {
    expect(written).not.toContain(secret);
  }
});

test('the service says that it is ready only while it reaches its database', async () => {
  expect((await fetch(`${service.url}/health/ready`)).status).toBe(200);
  service.network.cut();
  expect((await fetch(`${service.url}/health/ready`)).status).toBe(503);
  service.network.restore();
  onTestFinished(() => {
    service.network.restore();
  });
  expect((await fetch(`${service.url}/health/ready`)).status).toBe(200);
});
