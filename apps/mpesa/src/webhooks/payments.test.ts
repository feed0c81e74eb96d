import { confirmationOf, createPayment, createRandom, sendConfirmation } from '@repo/simulator';
import { expect, test } from 'vitest';
import { postPayment, startPaymentService, untilStatus } from '../payments/testing.ts';
import { openCustomerWallet, startTestService } from '../testing.ts';
import { register, startReceiver, untilDeliveries, verifyMessage, WEBHOOKS } from './testing.ts';

test('a payment that was asked for tells of its end: failed, and paid', async () => {
  await using receiver = await startReceiver();
  await using service = await startPaymentService({ settings: { webhooks: WEBHOOKS } });
  const { secret } = await register(service, receiver.url, ['payment.paid', 'payment.failed']);
  const wallet = await openCustomerWallet(service.db);
  const failed = await postPayment(service, { wallet });
  await service.daraja.answerPrompt('254700000126', 'cancelled');
  await untilStatus(service, failed.body['id'], 'failed');
  const paid = await postPayment(service, { wallet });
  await service.daraja.answerPrompt('254700000126', 'paid');
  const { receipt } = await untilStatus(service, paid.body['id'], 'paid');
  const messages = await receiver.untilCame(2);
  const told = messages.map((each) => verifyMessage(each, secret));
  expect(told).toHaveLength(2);
  expect(told).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        type: 'payment.failed',
        data: expect.objectContaining({
          payment: failed.body['id'],
          wallet,
          receipt: null,
          reason: 'cancelled',
        }),
      }),
      expect.objectContaining({
        type: 'payment.paid',
        data: expect.objectContaining({ payment: paid.body['id'], wallet, receipt, amount: '150.00' }),
      }),
    ]),
  );
  expect(messages.map(({ body }) => body).join('')).not.toContain('700000126');
});

test('what was sent and could not be recorded is sent again with the same id', async () => {
  const cut = { now: () => {} };
  await using receiver = await startReceiver((before) => {
    if (before === 0) cut.now();
    return 200;
  });
  await using service = await startTestService({
    webhooks: { ...WEBHOOKS, timings: { ...WEBHOOKS.timings, leaseMs: 1 } },
  });
  cut.now = () => {
    service.network.cut();
    service.network.restore();
  };
  await register(service, receiver.url, ['deposit.credited']);
  const account = await openCustomerWallet(service.db);
  const payment = createPayment(createRandom('webhooks'), {
    account,
    amount: '75.00',
    phone: '254700000126',
  });
  await sendConfirmation(service.target, confirmationOf(payment, 'plain'));
  const messages = await receiver.untilCame(2);
  expect(new Set(messages.map(({ id, body }) => id + body)).size).toBe(1);
  await untilDeliveries(service, '?status=delivered', (items) => items.length === 1);
});
