import { expect, test } from 'vitest';
import { basic, call, push, PHONE, query, startForTest, startService, tokenOf } from './testing.ts';

test('a new access token ends the one before it', async () => {
  const daraja = await startForTest();
  const first = await tokenOf(daraja);
  await tokenOf(daraja);
  const refused = await call(`${daraja.url}/mpesa/stkpush/v1/processrequest`, { token: first });
  expect(refused).toMatchObject({ status: 404, body: { errorCode: '404.001.03' } });
});

test('wrong credentials and another grant type get no token', async () => {
  const daraja = await startForTest();
  const ask = (grant: string, token: string) =>
    call(`${daraja.url}/oauth/v1/generate?grant_type=${grant}`, { method: 'GET', token });
  expect((await ask('client_credentials', basic('other'))).body['errorCode']).toBe('400.008.01');
  expect((await ask('password', basic())).body['errorCode']).toBe('400.008.02');
  expect(daraja.tokensIssued()).toBe(0);
});

test('a prompt that is answered with the PIN is paid, reported with its receipt and stands in the book', async () => {
  const [daraja, service] = [await startForTest(), await startService()];
  const accepted = await push(daraja, service.url);
  expect(accepted).toMatchObject({ status: 200, body: { ResponseCode: '0' } });
  expect(service.bodies).toEqual([]);
  const id = accepted.body['CheckoutRequestID'];
  expect(await query(daraja, id)).toMatchObject({
    status: 500,
    body: { errorCode: '500.001.1001', errorMessage: 'The transaction is being processed' },
  });
  await daraja.answerPrompt(PHONE, 'paid');
  const [payment] = daraja.book().payments;
  expect(service.bodies).toHaveLength(1);
  expect(JSON.parse(service.bodies[0] ?? '')).toMatchObject({
    Body: { stkCallback: { CheckoutRequestID: id, ResultCode: 0 } },
  });
  expect(service.bodies[0]).toContain(`{"Name":"MpesaReceiptNumber","Value":"${payment?.receipt ?? '-'}"}`);
  expect(service.bodies[0]).toContain('{"Name":"Amount","Value":150.00}');
  expect(payment).toMatchObject({ amount: '150.00', balance: '150.00', checkoutRequestId: id, phone: PHONE });
  expect(await query(daraja, id)).toMatchObject({ status: 200, body: { ResultCode: '0' } });
});

test('a prompt that is cancelled moves no money and is reported without a receipt', async () => {
  const [daraja, service] = [
    await startForTest({ behaviour: () => ({ outcome: 'cancelled' }) }),
    await startService(),
  ];
  const { body } = await push(daraja, service.url);
  await daraja.settled();
  expect(service.bodies).toHaveLength(1);
  expect(service.bodies[0]).toContain('"ResultCode":1032');
  expect(service.bodies[0]).not.toContain('CallbackMetadata');
  expect(daraja.book()).toMatchObject({ payments: [], balance: '0.00' });
  expect(await query(daraja, body['CheckoutRequestID'])).toMatchObject({ body: { ResultCode: '1032' } });
});
