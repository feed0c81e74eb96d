import { expect, test } from 'vitest';
import { openCustomerWallet, TEST_TOKEN } from '../testing.ts';
import { eventKinds, postPayment, startPaymentService, untilStatus } from './testing.ts';

const PHONE = '254700000126';
const ASK_AT_ONCE = { firstQueryMs: 1, longestQueryMs: 5, mostQueries: 1_000 };

test.for(['error', '4999'] as const)(
  'a prompt that is still open (as %s) is no failure, and one whose callback was dropped is found by asking',
  async (pendingAs) => {
    await using service = await startPaymentService({
      simulator: { pendingAs, behaviour: () => ({ callback: { copies: 0 } }) },
      timings: ASK_AT_ONCE,
    });
    const wallet = await openCustomerWallet(service.db);
    const { body } = await postPayment(service, { wallet });
    await expect
      .poll(() => service.daraja.requests()['/mpesa/stkpushquery/v1/query'] ?? 0, { timeout: 60_000 })
      .toBeGreaterThan(1);
    expect(body['status']).toBe('pending');
    await service.daraja.answerPrompt(PHONE, 'cancelled');
    expect(await untilStatus(service, body['id'], 'failed')).toMatchObject({ reason: 'cancelled' });
  },
);

test('the questions have an end, after which the payment is unknown', async () => {
  await using service = await startPaymentService({
    timings: { firstQueryMs: 1, longestQueryMs: 1, mostQueries: 3 },
  });
  const wallet = await openCustomerWallet(service.db);
  const { body } = await postPayment(service, { wallet });
  const payment = await untilStatus(service, body['id'], 'unknown');
  expect(payment).toMatchObject({ reason: 'no_result' });
  expect(eventKinds(payment)).toEqual(['requested', 'accepted', 'asked', 'unknown']);
  expect(service.daraja.requests()['/mpesa/stkpushquery/v1/query']).toBe(3);
});

const statusBody = (
  receipt: string,
  facts: { readonly receiver?: string; readonly status?: string } = {},
) => ({
  Result: {
    ResultType: 0,
    ResultCode: 0,
    ResultDesc: 'ok',
    TransactionID: 'TKS0000000',
    ResultParameters: {
      ResultParameter: [
        { Key: 'DebitPartyName', Value: '254700000126 - Atieno Otieno' },
        { Key: 'DebitPartyName', Value: `${facts.receiver ?? '600100'} - DAFTARI` },
        { Key: 'TransactionReason' },
        { Key: 'TransactionStatus', Value: facts.status ?? 'Completed' },
        { Key: 'FinalisedTime', Value: '20261127103000' },
        { Key: 'Amount', Value: '75' },
        { Key: 'ReceiptNo', Value: receipt },
      ],
    },
  },
});

test('a receipt that proves nothing is asked about, and credited to suspense once M-PESA proves it', async () => {
  await using service = await startPaymentService({
    account: { initiator: { name: 'daftari', credential: 'encrypted' } },
  });
  const post = (path: string, body: unknown) =>
    fetch(`${service.url}${path}`, { method: 'POST', body: JSON.stringify(body) });
  const callback = (receipt: string) =>
    post(`/stk/${TEST_TOKEN}/callback`, {
      Body: {
        stkCallback: {
          CheckoutRequestID: 'ws_CO_x',
          ResultCode: 0,
          CallbackMetadata: {
            Item: [
              { Name: 'Amount', Value: 75 },
              { Name: 'MpesaReceiptNumber', Value: receipt },
            ],
          },
        },
      },
    });
  const inquiryOf = async (receipt: string) => {
    const [row] = await service.database.query(
      `SELECT id::text AS id, status, reason FROM services.mpesa_inquiries WHERE receipt = '${receipt}'`,
    );
    return { id: String(row?.['id']), status: row?.['status'], reason: row?.['reason'] };
  };
  const outcomesOf = async (receipt: string) =>
    (
      await service.database.query(
        `SELECT kind, outcome FROM services.mpesa_callbacks WHERE receipt = '${receipt}' ORDER BY id`,
      )
    ).map(({ kind, outcome }) => `${String(kind)} ${String(outcome)}`);

  await callback('TKS0000001');
  const { id } = await inquiryOf('TKS0000001');
  await post(`/status/${TEST_TOKEN}/result/${id}`, statusBody('TKS0000001', { status: 'Initiated' }));
  expect(await inquiryOf('TKS0000001')).toMatchObject({ status: 'OPEN' });
  await post(`/status/${TEST_TOKEN}/result/${id}`, statusBody('TKS0000009'));
  await post(`/status/${TEST_TOKEN}/result/00000000-0000-7000-8000-000000000000`, statusBody('TKS0000001'));
  expect(await outcomesOf('TKS0000001')).toEqual([
    'STK_CALLBACK QUARANTINED',
    'STATUS_RESULT NOTED',
    'STATUS_RESULT QUARANTINED',
  ]);
  await post(`/status/${TEST_TOKEN}/result/${id}`, statusBody('TKS0000001'));
  expect(await inquiryOf('TKS0000001')).toMatchObject({ status: 'PROVED', reason: 'suspense' });
  expect((await outcomesOf('TKS0000001')).at(-1)).toBe('STATUS_RESULT SUSPENSE');
  await post(`/status/${TEST_TOKEN}/result/${id}`, statusBody('TKS0000001'));
  expect((await outcomesOf('TKS0000001')).at(-1)).toBe('STATUS_RESULT DUPLICATE');

  await callback('TKS0000002');
  const other = await inquiryOf('TKS0000002');
  await post(`/status/${TEST_TOKEN}/result/${other.id}`, statusBody('TKS0000002', { receiver: '999999' }));
  expect(await inquiryOf('TKS0000002')).toMatchObject({ status: 'REFUTED', reason: 'paid_to_others' });
  expect(await service.database.query('SELECT sum(balance)::text AS sum FROM core.wallets')).toEqual([
    { sum: '0.00' },
  ]);
});
