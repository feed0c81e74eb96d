import { eatDigits } from '../eat-clock.ts';
import type { Random } from '../random.ts';
import type { BookedPayment } from './book.ts';
import type { Outcome } from './outcomes.ts';

/** The two names of a prompt, given by the gateway. */
export interface PromptIds {
  readonly MerchantRequestID: string;
  readonly CheckoutRequestID: string;
}

/** One of the forms in which a callback really comes. */
interface Form {
  /** `1.00` or `1`, both numbers. */
  readonly hasDecimals: boolean;
  readonly hasBalance: boolean;
  readonly isCodeText: boolean;
  readonly isShuffled: boolean;
}

/** The form of the current documentation. */
const USUAL: Form = { hasDecimals: true, hasBalance: false, isCodeText: false, isShuffled: false };

/** The body of a callback. With `random` its form varies within what M-PESA sends. */
export function callbackBody(options: {
  readonly ids: PromptIds;
  readonly outcome: Outcome;
  /** What was paid; null if the prompt came to nothing. */
  readonly payment: BookedPayment | null;
  readonly random: Random | null;
}): string {
  const { ids, outcome, payment, random } = options;
  const form = random === null ? USUAL : drawForm(random);
  const body = {
    Body: {
      stkCallback: {
        ...ids,
        ResultCode: form.isCodeText ? String(outcome.code) : outcome.code,
        ResultDesc: random === null ? outcome.texts[0] : random.pick(outcome.texts),
        ...(payment === null ? {} : { CallbackMetadata: { Item: itemsOf(payment, form, random) } }),
      },
    },
  };
  // A number with two decimals is nothing that JSON.stringify writes.
  return JSON.stringify(body).replace(`"${AMOUNT}"`, amountOf(payment, form));
}

const AMOUNT = '@amount@';

function amountOf(payment: BookedPayment | null, { hasDecimals }: Form): string {
  const amount = payment?.amount ?? '';
  return hasDecimals ? amount : amount.replace(/\.00$/, '');
}

function itemsOf(payment: BookedPayment, { hasBalance, isShuffled }: Form, random: Random | null) {
  const items = [
    { Name: 'Amount', Value: AMOUNT },
    { Name: 'MpesaReceiptNumber', Value: payment.receipt },
    ...(hasBalance ? [{ Name: 'Balance' }] : []),
    { Name: 'TransactionDate', Value: Number(eatDigits(payment.paidAt)) },
    { Name: 'PhoneNumber', Value: Number(payment.phone) },
  ];
  return isShuffled && random !== null ? shuffle(items, random) : items;
}

function drawForm(random: Random): Form {
  const isChosen = () => random.integer(2) === 0;
  return {
    hasDecimals: isChosen(),
    hasBalance: isChosen(),
    isCodeText: isChosen(),
    isShuffled: isChosen(),
  };
}

function shuffle<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  return items.flatMap(() => left.splice(random.integer(left.length), 1));
}
