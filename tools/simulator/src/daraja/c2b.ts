import type { C2bShape } from '../c2b-message.ts';
import { validationOf } from '../c2b-message.ts';
import type { BookedPayment, Movement } from './book.ts';
import { shillingsOf } from './cents.ts';
import { confirmPayment, factsOf, shapeOf } from './confirmation.ts';
import type { Context } from './context.ts';
import type { DeliveryPlan } from './settings.ts';

/** A payment that a customer makes from the menu of the phone. */
export interface PayOrder {
  /** What is typed as the account; empty at a till. */
  readonly account: string;
  /** Shillings, `1500` or `1500.00`. */
  readonly amount: string;
  /** Digits, `2547...`. Default: one that belongs to nobody. */
  readonly phone?: string;
  /** The form of the messages. Default: that of the settings. */
  readonly shape?: C2bShape;
  readonly confirmation?: DeliveryPlan;
  /** M-PESA refuses it, say for want of money: no money moves and nothing is reported. Default: false. */
  readonly fails?: boolean;
}

/** What became of the order. */
export type Paid =
  | { readonly isPaid: true; readonly payment: BookedPayment }
  /** The service refused the payment when it was asked, or M-PESA did (`0`); `code` is null if it gave no answer. */
  | { readonly isPaid: false; readonly receipt: string; readonly code: string | null };

/** Money that leaves the organisation for its bank. */
export interface SweepOrder {
  /** Default: everything. */
  readonly amount?: string;
  /** Whether a confirmation tells of it, as sometimes happens. Default: false. */
  readonly isReported?: boolean;
}

/** Asks the service if it is to be asked, moves the money and reports it. Resolves when the report was sent. */
export async function payByMenu(context: Context, order: PayOrder): Promise<Paid> {
  const { chance, book, organisation, now } = context;
  const thing = `payment ${order.phone ?? ''} ${order.amount} ${order.account}`;
  const random = chance.of(`${thing} ${String(chance.occurrence(thing))}`);
  const movement: Movement = {
    ...OUT_OF_A_MENU,
    amount: order.amount,
    paidAt: now(),
    shortCode: organisation.till ?? organisation.shortCode,
    account: order.account,
    phone: order.phone ?? `254700000${random.text(3, '0123456789')}`,
  };
  const receipt = book.reserve(movement.paidAt, random);
  const shape = order.shape ?? shapeOf(context, random);
  const code = await validate(context, { movement, receipt, shape });
  if (code !== '0' || order.fails === true) {
    book.fail(receipt, movement);
    return { isPaid: false, receipt, code };
  }
  const payment = book.moveAs(receipt, movement);
  await confirmPayment(context, { payment, random }, { plan: order.confirmation, shape });
  return { isPaid: true, payment };
}

/** Sends what the organisation has to its bank. */
export async function sweepToBank(context: Context, order: SweepOrder): Promise<BookedPayment> {
  const { chance, book, organisation, now } = context;
  const random = chance.of(`sweep ${String(chance.occurrence('sweep'))}`);
  const amount = order.amount ?? shillingsOf(book.balance);
  const { shortCode } = organisation;
  const sweep: Movement = { ...OUT_OF_A_MENU, kind: 'sweep', amount, paidAt: now(), shortCode, ...NOBODY };
  const payment = book.move(sweep, random);
  if (order.isReported === true) {
    await confirmPayment(context, { payment, random }, { shape: 'organisation' });
  }
  return payment;
}

/** Gives a payment back at M-PESA, of which no message tells. Throws `RangeError` for an unknown receipt. */
export function reversePayment({ chance, book, now }: Context, receipt: string): BookedPayment {
  const original = book.find(receipt);
  if (original === null) throw new RangeError('M-PESA knows no such receipt');
  const { amount, shortCode, account, phone, checkoutRequestId } = original;
  const facts = { amount, shortCode, account, phone, checkoutRequestId };
  return book.move(
    { ...facts, kind: 'reversal', paidAt: now(), reverses: receipt },
    chance.of(`reversal ${receipt}`),
  );
}

const OUT_OF_A_MENU = { kind: 'c2b', checkoutRequestId: null, reverses: null } as const;
const NOBODY = { account: '', phone: '' };

interface Validating {
  readonly movement: Movement;
  readonly receipt: string;
  readonly shape: C2bShape;
}

/** `0` if the payment goes on, the code of the refusal, or null if nobody answered and the default is to cancel. */
async function validate(context: Context, validating: Validating): Promise<string | null> {
  const { urls, settings, deliveries } = context;
  if (!settings.isValidated || urls === null) return '0';
  const { movement, receipt, shape } = validating;
  const facts = factsOf(context, { ...movement, receipt, balance: '' });
  const body = JSON.stringify(validationOf(facts, shape));
  const question = {
    kind: 'validation',
    url: urls.validationUrl,
    body,
    shortCode: movement.shortCode,
  } as const;
  const answer = await deliveries.ask(question, settings.validationMs);
  const code = answer === null || answer.status >= 300 ? null : resultCodeOf(answer.body);
  return code ?? (urls.responseType === 'Completed' ? '0' : null);
}

/** M-PESA takes the code as a number or as a text. */
function resultCodeOf(body: string): string | null {
  return /"ResultCode"\s*:\s*"?([A-Z0-9]+)"?/.exec(body)?.[1] ?? null;
}
