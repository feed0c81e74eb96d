import { C2B_SHAPES, confirmationOf, createPayment, validationOf } from '@repo/simulator';
import type { Random } from '@repo/simulator';

/** What M-PESA sends to one of the routes. */
export interface Message {
  /** Below the service's address; the token stands in it as `:token`. */
  readonly path: string;
  readonly text: string;
}

/** Where money and reports may go. */
export interface Known {
  /** Numbers of wallets. */
  readonly wallets: readonly [string, ...string[]];
  /** Ids of payments that phones were asked for. */
  readonly payments: readonly [string, ...string[]];
}

export const MESSAGE_KINDS = ['confirmation', 'validation', 'stk callback', 'status result'] as const;

export type MessageKind = (typeof MESSAGE_KINDS)[number];

/** When all of it was paid: the same seed gives the same messages on every day. */
const PAID_AT = new Date('2026-11-27T09:00:00Z');

/** Writes a message that is right, each time of another payment. */
export function createMessage(kind: MessageKind, known: Known, random: Random): Message {
  if (kind === 'stk callback') {
    const payment = random.pick(known.payments);
    const path = random.pick(['callback', `callback/${payment}`, 'callback/none', 'callback/%00']);
    return { path: `/stk/:token/${path}`, text: JSON.stringify(stkCallback(random)) };
  }
  if (kind === 'status result') {
    const path = random.pick(['result/none', `result/${random.pick(known.payments)}`, 'timeout/none']);
    return { path: `/status/:token/${path}`, text: JSON.stringify(statusResult(random)) };
  }
  const payment = createPayment(random, { paidAt: PAID_AT, account: random.pick(known.wallets) });
  const shape = random.pick(C2B_SHAPES);
  const message = kind === 'confirmation' ? confirmationOf(payment, shape) : validationOf(payment, shape);
  return { path: `/c2b/:token/${kind}`, text: JSON.stringify(message) };
}

function stkCallback(random: Random): object {
  const { receipt, amount, phone } = createPayment(random, { paidAt: PAID_AT });
  const ids = {
    MerchantRequestID: `m-${random.text(12, '0123456789')}`,
    CheckoutRequestID: `ws_CO_${random.text(20, '0123456789')}`,
  };
  if (random.integer(3) === 0) {
    return { Body: { stkCallback: { ...ids, ResultCode: 1032, ResultDesc: 'Request cancelled by user' } } };
  }
  const Item = [
    { Name: 'Amount', Value: Number.parseInt(amount, 10) },
    { Name: 'MpesaReceiptNumber', Value: receipt },
    { Name: 'Balance' },
    { Name: 'TransactionDate', Value: 20_261_127_120_000 },
    { Name: 'PhoneNumber', Value: Number(phone) },
  ];
  const told = { ResultCode: 0, ResultDesc: 'The service request is processed successfully.' };
  return { Body: { stkCallback: { ...ids, ...told, CallbackMetadata: { Item } } } };
}

function statusResult(random: Random): object {
  const { receipt, amount, phone, shortCode, firstName } = createPayment(random, { paidAt: PAID_AT });
  return {
    Result: {
      ResultType: 0,
      ResultCode: 0,
      ResultDesc: 'The service request is processed successfully.',
      OriginatorConversationID: random.text(16, '0123456789abcdef'),
      ConversationID: `AG_20261127_${random.text(20, '0123456789abcdef')}`,
      TransactionID: 'UKR0000000',
      ResultParameters: {
        ResultParameter: [
          { Key: 'DebitPartyName', Value: `${phone} - ${firstName}` },
          { Key: 'DebitPartyName', Value: `${shortCode} - A Shop` },
          { Key: 'TransactionStatus', Value: 'Completed' },
          { Key: 'FinalisedTime', Value: 20_261_127_120_000 },
          { Key: 'Amount', Value: Number.parseInt(amount, 10) },
          { Key: 'ReceiptNo', Value: receipt },
        ],
      },
      ReferenceData: { ReferenceItem: { Key: 'Occasion' } },
    },
  };
}
