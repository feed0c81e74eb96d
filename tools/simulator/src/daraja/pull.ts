import type { BookedPayment } from './book.ts';
import type { Context } from './context.ts';
import { happens } from './deliveries.ts';
import { refused } from './exchange.ts';
import type { Call, Reply } from './exchange.ts';
import { badRequest } from './refusals.ts';

/** Payments of the last two days that can be pulled, by pages. */
export interface Pull {
  register(call: Call, requestId: string): Reply;
  query(call: Call, requestId: string): Reply;
}

const REACH_MS = 48 * 60 * 60 * 1_000;
const PAGE = 100;
const EAT_OFFSET_MS = 3 * 60 * 60 * 1_000;

export function createPull(context: Context): Pull {
  let isRegistered = false;

  function register({ fields }: Call, requestId: string): Reply {
    const { ShortCode = '', RequestType = '', NominatedNumber = '' } = fields;
    if (ShortCode !== context.organisation.shortCode) return refused(badRequest('ShortCode'), requestId);
    if (RequestType !== 'Pull') return refused(badRequest('RequestType'), requestId);
    if (!/^(?:0|254)?[17]\d{8}$/.test(NominatedNumber)) {
      return refused(badRequest('NominatedNumber'), requestId);
    }
    const isRepeated = isRegistered;
    isRegistered = true;
    const body = {
      ResponseRefID: requestId,
      ResponseStatus: isRepeated ? '1001' : '1000',
      ShortCode,
      ResponseDescription: isRepeated ? 'ShortCode already Registered' : 'ShortCode Registered Successfully',
    };
    return { status: 200, body };
  }

  function query({ fields }: Call, requestId: string): Reply {
    const { ShortCode = '', StartDate = '', EndDate = '', OffSetValue = '0' } = fields;
    const [from, to] = [instantOf(StartDate), instantOf(EndDate)];
    if (!isRegistered || ShortCode !== context.organisation.shortCode) {
      return refused(badRequest('ShortCode'), requestId);
    }
    if (from === null) return refused(badRequest('StartDate'), requestId);
    if (to === null || to < from) return refused(badRequest('EndDate'), requestId);
    if (!/^\d{1,9}$/.test(OffSetValue)) return refused(badRequest('OffSetValue'), requestId);
    const earliest = Math.max(from, context.now().getTime() - REACH_MS);
    const found = context.book.payments.filter(
      ({ kind, paidAt }) =>
        (kind === 'c2b' || kind === 'stk') && paidAt.getTime() >= earliest && paidAt.getTime() <= to,
    );
    const page = found.slice(Number(OffSetValue), Number(OffSetValue) + PAGE);
    return { status: 200, body: pageOf(context, page, requestId) };
  }

  return { register, query };
}

/** The rows stand in an array inside an array, and none is an empty array inside one. */
function pageOf(context: Context, payments: readonly BookedPayment[], requestId: string) {
  const isNone = payments.length === 0;
  return {
    ResponseRefID: requestId,
    ResponseCode: isNone ? '1001' : '1000',
    ResponseMessage: isNone ? 'No transactions' : 'Success',
    Response: [payments.map((payment) => rowOf(context, payment))],
  };
}

function rowOf({ settings, chance, organisation }: Context, payment: BookedPayment) {
  const isVaried = happens(chance.of(`row ${payment.receipt}`), settings.nuisances.vary);
  const { receipt, phone, account, amount, shortCode, paidAt } = payment;
  const isTill = account === '' && organisation.till === shortCode;
  return {
    transactionId: isVaried ? receipt.toLowerCase() : receipt,
    trxDate: trxDateOf(paidAt, settings.pullClock),
    msisdn: Number(phone.slice(-9)),
    sender: 'MPESA',
    transactiontype: isTill ? 'c2b-buy-goods-debit' : 'c2b-pay-bill-debit',
    billreference: account,
    amount,
    organizationname: organisation.name,
  };
}

/** Nobody has said whether the `Z` is meant: with `eat` the time of Nairobi stands before it. */
function trxDateOf(paidAt: Date, clock: 'utc' | 'eat'): string {
  const shown = clock === 'utc' ? paidAt : new Date(paidAt.getTime() + EAT_OFFSET_MS);
  return `${shown.toISOString().slice(0, 19)}Z`;
}

/** `YYYY-MM-DD HH:mm:ss` on a clock in Nairobi, as milliseconds; null if it is no time. */
function instantOf(text: string): number | null {
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(text)) return null;
  const instant = Date.parse(`${text.replace(' ', 'T')}+03:00`);
  return Number.isNaN(instant) ? null : instant;
}
