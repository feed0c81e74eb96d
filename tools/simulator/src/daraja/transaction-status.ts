import { eatDigits } from '../eat-clock.ts';
import type { Random } from '../random.ts';
import { isSendable } from '../target.ts';
import type { BookedEvent, BookedPayment } from './book.ts';
import { factsOf } from './confirmation.ts';
import type { Context } from './context.ts';
import { drawPlan, happens } from './deliveries.ts';
import { refused } from './exchange.ts';
import type { Call } from './exchange.ts';
import { badRequest } from './refusals.ts';
import type { Served } from './served.ts';
import type { Fields } from './stk-request.ts';

const CHECKS: readonly (readonly [name: string, isRight: (value: string) => boolean])[] = [
  ['Initiator', (value) => value !== ''],
  ['SecurityCredential', (value) => value !== ''],
  ['CommandID', (value) => value === 'TransactionStatusQuery'],
  ['TransactionID', (value) => /^\w{6,13}$/.test(value)],
  ['PartyA', (value) => /^\d{5,7}$/.test(value)],
  ['IdentifierType', (value) => /^[24]$/.test(value)],
  ['ResultURL', isSendable],
  ['QueueTimeOutURL', isSendable],
  ['Remarks', (value) => value !== '' && value.length <= 100],
];

/** `POST /mpesa/transactionstatus/v1/query`: taken at once, and answered later at the ResultURL. */
export function queryTransaction(
  context: Context,
  { fields }: Call,
  { requestId, record }: { readonly requestId: string; readonly record: BookedEvent[] },
): Served {
  const wrong = CHECKS.find(([name, isRight]) => !isRight(fields[name] ?? ''));
  if (wrong !== undefined) return { reply: refused(badRequest(wrong[0]), requestId) };
  const random = context.chance.of(`status ${fields['TransactionID'] ?? ''} ${requestId}`);
  const conversation = `AG_${eatDigits(context.now()).slice(0, 8)}_${random.text(20, '0123456789abcdef')}`;
  const ids = { OriginatorConversationID: requestId, ConversationID: conversation };
  const taken = { ResponseCode: '0', ResponseDescription: 'Accept the service request successfully.' };
  return {
    reply: { status: 200, body: { ...ids, ...taken } },
    afterwards: () => sendResult(context, { fields, ids, random, record }),
  };
}

interface Conversation {
  readonly OriginatorConversationID: string;
  readonly ConversationID: string;
}

interface Asked {
  readonly fields: Fields;
  readonly ids: Conversation;
  readonly random: Random;
  readonly record: BookedEvent[];
}

async function sendResult(context: Context, { fields, ids, random, record }: Asked): Promise<void> {
  const { nuisances, isQueueFull } = context.settings;
  const plan = drawPlan({}, nuisances, random);
  const payment = context.book.find((fields['TransactionID'] ?? '').trim().toUpperCase());
  const isVaried = happens(random, nuisances.vary);
  const result = isQueueFull ? QUEUED_TOO_LONG : resultOf(context, payment, isVaried);
  const body = JSON.stringify({
    Result: {
      ResultType: 0,
      ...result,
      ...ids,
      // The receipt that was asked for is in the parameters: this one is a dummy of the day.
      TransactionID: `${random.text(3, 'UKABC123')}0000000`,
      ReferenceData: { ReferenceItem: isVaried ? [{ Key: 'Occasion' }] : { Key: 'Occasion' } },
    },
  });
  const url = fields[isQueueFull ? 'QueueTimeOutURL' : 'ResultURL'] ?? '';
  const event = { kind: 'result', url, body, shortCode: fields['PartyA'] ?? '' } as const;
  await context.deliveries.send(event, { plan, random, record });
}

const QUEUED_TOO_LONG = { ResultCode: '1', ResultDesc: 'The service request timed out in the queue.' };

function resultOf(context: Context, payment: BookedPayment | null, isVaried: boolean) {
  if (payment === null) {
    return { ResultCode: 2032, ResultDesc: 'The transaction receipt number does not exist.' };
  }
  return {
    ResultCode: isVaried ? '0' : 0,
    ResultDesc: 'The service request is processed successfully.',
    ResultParameters: { ResultParameter: parametersOf(context, payment, isVaried) },
  };
}

/** The name of the debited party comes twice, and the second time it is the credited one. */
function parametersOf(context: Context, payment: BookedPayment, isVaried: boolean) {
  const { firstName, lastName } = factsOf(context, payment);
  const customer = `${payment.phone} - ${firstName} ${lastName}`;
  const shop = `${payment.shortCode} - ${context.organisation.name}`;
  const isPaidIn = payment.kind === 'c2b' || payment.kind === 'stk';
  const time = eatDigits(payment.paidAt);
  return [
    { Key: 'DebitPartyName', Value: isPaidIn ? customer : shop },
    { Key: 'DebitPartyName', Value: isPaidIn ? shop : customer },
    { Key: 'InitiatedTime', Value: time },
    { Key: 'DebitAccountType', Value: isPaidIn ? 'MMF Account For Customer' : 'Utility Account' },
    { Key: 'DebitPartyCharges' },
    { Key: 'TransactionReason' },
    { Key: 'ReasonType', Value: REASONS[payment.kind] },
    { Key: 'TransactionStatus', Value: 'Completed' },
    { Key: isVaried ? 'FinalizedTime' : 'FinalisedTime', Value: time },
    { Key: 'Amount', Value: isVaried ? payment.amount : payment.amount.replace(/\.00$/, '') },
    {
      Key: isVaried ? 'Conversation ID' : 'ConversationID',
      Value: `AG_${time.slice(0, 8)}_${payment.receipt}`,
    },
    { Key: 'ReceiptNo', Value: payment.receipt },
  ];
}

const REASONS: Readonly<Record<BookedPayment['kind'], string>> = {
  c2b: 'Pay Bill Online',
  stk: 'Pay Bill Online',
  sweep: 'Organization Settlement Account to Bank',
  reversal: 'Pay Bill Reversal',
};
