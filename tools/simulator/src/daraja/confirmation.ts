import { confirmationOf } from '../c2b-message.ts';
import { createPayment } from '../payment.ts';
import type { Context, DuePayment } from './context.ts';
import { drawPlan } from './deliveries.ts';
import type { DeliveryPlan } from './settings.ts';

/** Reports a payment to the confirmation URL of the short code; nobody is told while none is registered. */
export async function confirmPayment(
  context: Context,
  { payment, random }: DuePayment,
  given: DeliveryPlan,
): Promise<void> {
  const plan = drawPlan(given, context.settings.nuisances, random);
  const { receipt, paidAt, amount, shortCode, account, phone, balance: orgBalance } = payment;
  const facts = createPayment(random, { receipt, paidAt, amount, shortCode, account, phone, orgBalance });
  if (context.urls === null) return;
  const body = JSON.stringify(confirmationOf(facts, account === '' ? 'till' : 'masked'));
  const event = { kind: 'confirmation', url: context.urls.confirmationUrl, body, shortCode } as const;
  await context.deliveries.send(event, { plan, random, record: payment.events });
}
