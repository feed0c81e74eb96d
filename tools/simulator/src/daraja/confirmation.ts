import { C2B_SHAPES, confirmationOf } from '../c2b-message.ts';
import type { C2bShape } from '../c2b-message.ts';
import { createPayment } from '../payment.ts';
import type { Payment } from '../payment.ts';
import type { Random } from '../random.ts';
import type { BookedPayment } from './book.ts';
import type { Context, DuePayment } from './context.ts';
import { drawPlan } from './deliveries.ts';
import type { DeliveryPlan } from './settings.ts';

/** Reports a payment to the confirmation URL of the short code; nobody is told while none is registered. */
export async function confirmPayment(
  context: Context,
  { payment, random }: DuePayment,
  {
    plan: given = {},
    shape,
  }: { readonly plan?: DeliveryPlan | undefined; readonly shape?: C2bShape | undefined },
): Promise<void> {
  const plan = drawPlan(given, context.settings.nuisances, random);
  const facts = factsOf(context, payment);
  if (context.urls === null) return;
  const body = JSON.stringify(confirmationOf(facts, shape ?? shapeOf(context, random)));
  const { shortCode } = payment;
  const event = { kind: 'confirmation', url: context.urls.confirmationUrl, body, shortCode } as const;
  await context.deliveries.send(event, { plan, random, record: payment.events });
}

/** The facts of a payment, with names made up where M-PESA would know them: a phone belongs to one person. */
export function factsOf({ chance }: Context, payment: Omit<BookedPayment, 'events' | 'kind'>): Payment {
  const { receipt, paidAt, amount, shortCode, account, phone, balance: orgBalance } = payment;
  return createPayment(chance.of(`person ${phone}`), {
    receipt,
    paidAt,
    amount,
    shortCode,
    account,
    phone,
    orgBalance,
  });
}

/** The form of messages to this short code: as the setting says, or as the version of its registration has it. */
export function shapeOf({ settings, urls }: Context, random: Random): C2bShape {
  const drawn = random.pick(C2B_SHAPES);
  if (settings.shape === 'mixed') return drawn;
  return settings.shape ?? (urls?.version === 1 ? 'hashed' : 'masked');
}
