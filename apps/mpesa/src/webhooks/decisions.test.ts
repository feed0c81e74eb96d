import { randomUUID } from 'node:crypto';
import { confirmationOf, createPayment, createRandom, sendConfirmation } from '@repo/simulator';
import { expect, test } from 'vitest';
import { postPayment, startPaymentService } from '../payments/testing.ts';
import { openCustomerWallet, TEST_KEY } from '../testing.ts';
import { register, startReceiver, verifyMessage, WEBHOOKS } from './testing.ts';

const random = createRandom('decisions.test');
const PHONE = '254700000126';

test('an app learns by signed messages what people decide about payments, and nothing that identifies the payer', async () => {
  await using receiver = await startReceiver();
  await using service = await startPaymentService({ settings: { webhooks: WEBHOOKS } });
  const wanted = ['deposit.assigned', 'deposit.moved', 'deposit.refund_marked', 'deposit.refund_unmarked'];
  const { secret } = await register(service, receiver.url, wanted);
  const [wallet, other] = [await openCustomerWallet(service.db), await openCustomerWallet(service.db)];
  const decide = async (path: string, body: object) => {
    const response = await fetch(`${service.url}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${TEST_KEY}`,
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
      },
      body: JSON.stringify({ reason: `${PHONE} says so`, ...body }),
    });
    return response.status;
  };
  const { shortCode } = service.daraja;
  const lost = createPayment(random, { account: 'NOBODY', amount: '75.00', phone: PHONE, shortCode });
  await sendConfirmation(service.target, confirmationOf(lost, 'plain'));
  const asked = await postPayment(service, { wallet });
  await service.daraja.answerPrompt(PHONE, 'paid');
  const receipt = service.daraja.book().payments.at(-1)?.receipt ?? '';
  const contradiction = { account: other, amount: '150.00', receipt, phone: PHONE, shortCode };
  await sendConfirmation(service.target, confirmationOf(createPayment(random, contradiction), 'masked'));

  for (const decision of ['mark', 'unmark']) {
    expect(await decide(`/suspense/${lost.receipt}/refund`, { decision })).toBe(200);
  }
  expect(await decide(`/suspense/${lost.receipt}/assignment`, { wallet })).toBe(201);
  expect(await decide(`/payments/${String(asked.body['id'])}/correction`, {})).toBe(200);

  const messages = await receiver.untilCame(4);
  const told = messages.map((each) => {
    const { type, data } = (verifyMessage(each, secret) ?? {}) as { type?: string; data?: object };
    return [type, data];
  });
  expect(told).toHaveLength(4);
  expect(told).toEqual(
    expect.arrayContaining([
      ['deposit.refund_marked', expect.objectContaining({ receipt: lost.receipt, amount: '75.00' })],
      ['deposit.refund_unmarked', expect.objectContaining({ receipt: lost.receipt, amount: '75.00' })],
      ['deposit.assigned', expect.objectContaining({ receipt: lost.receipt, wallet, from: null })],
      ['deposit.moved', expect.objectContaining({ receipt, from: wallet, wallet: other, amount: '150.00' })],
    ]),
  );
  expect(messages.map(({ body }) => body).join('')).not.toContain('700000126');
});
