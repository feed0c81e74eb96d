import type { ExchangeRequest } from '@repo/http';
import type { PullRequest } from './pull-answer.ts';
import type { PullRegistration, UrlRegistration } from './registration.ts';
import { receiverOf } from './settings.ts';
import type { DarajaSettings } from './settings.ts';

/** What a customer's phone is asked for. */
export interface PushRequest {
  /** Decimal string of KES, whole shillings. */
  readonly amount: string;
  /** Digits, `2547...`. */
  readonly phone: string;
  readonly reference: string;
  readonly description: string;
  readonly callbackUrl: string;
}

export interface StatusRequest {
  readonly receipt: string;
  readonly resultUrl: string;
  readonly timeoutUrl: string;
}

/** The requests of an account, but for their token. */
export function createRequests(settings: DarajaSettings) {
  const { consumerKey, consumerSecret, shortCode, till, passkey, initiator } = settings;
  const prefix = new URL(settings.baseUrl).pathname.replace(/\/+$/, '');
  const basic = Buffer.from(`${consumerKey}:${consumerSecret}`).toString('base64');

  function post(path: string, token: string, body: unknown): ExchangeRequest {
    const headers = ['authorization', `Bearer ${token}`, 'content-type', 'application/json'];
    return { method: 'POST', path: `${prefix}${path}`, headers, body: JSON.stringify(body) };
  }

  function signed() {
    const timestamp = eatDigits(new Date());
    const password = Buffer.from(`${shortCode}${passkey}${timestamp}`).toString('base64');
    return { BusinessShortCode: shortCode, Password: password, Timestamp: timestamp };
  }

  return {
    token: (): ExchangeRequest => ({
      method: 'GET',
      path: `${prefix}/oauth/v1/generate?grant_type=client_credentials`,
      headers: ['authorization', `Basic ${basic}`],
      body: null,
    }),
    push: (token: string, { amount, phone, reference, description, callbackUrl }: PushRequest) =>
      post('/mpesa/stkpush/v1/processrequest', token, {
        ...signed(),
        TransactionType: till === null ? 'CustomerPayBillOnline' : 'CustomerBuyGoodsOnline',
        // An integer: M-PESA refuses decimals.
        Amount: Number(amount.replace(/\.00$/, '')),
        PartyA: phone,
        PartyB: receiverOf(settings),
        PhoneNumber: phone,
        CallBackURL: callbackUrl,
        AccountReference: reference,
        TransactionDesc: description,
      }),
    query: (token: string, checkoutRequestId: string) =>
      post('/mpesa/stkpushquery/v1/query', token, { ...signed(), CheckoutRequestID: checkoutRequestId }),
    status: (token: string, { receipt, resultUrl, timeoutUrl }: StatusRequest) =>
      post('/mpesa/transactionstatus/v1/query', token, {
        Initiator: initiator?.name ?? '',
        SecurityCredential: initiator?.credential ?? '',
        CommandID: 'TransactionStatusQuery',
        TransactionID: receipt,
        PartyA: receiverOf(settings),
        // 4: a paybill, 2: a till.
        IdentifierType: till === null ? '4' : '2',
        ResultURL: resultUrl,
        QueueTimeOutURL: timeoutUrl,
        Remarks: 'Receipt',
        Occasion: 'Receipt',
      }),
    ...shortCodeRequests(post),
  };
}

type Post = (path: string, token: string, body: unknown) => ExchangeRequest;

function shortCodeRequests(post: Post) {
  return {
    registerUrls: (
      token: string,
      { shortCode, responseType, confirmationUrl, validationUrl }: UrlRegistration,
    ) =>
      // Version 2 masks payers' numbers, version 1 hashes them.
      post('/mpesa/c2b/v2/registerurl', token, {
        ShortCode: shortCode,
        ResponseType: responseType,
        ConfirmationURL: confirmationUrl,
        ValidationURL: validationUrl,
      }),
    registerPull: (token: string, { shortCode, nominatedNumber, callbackUrl }: PullRegistration) =>
      post('/pulltransactions/v1/register', token, {
        ShortCode: shortCode,
        RequestType: 'Pull',
        NominatedNumber: nominatedNumber,
        CallBackURL: callbackUrl,
      }),
    pull: (token: string, { shortCode, from, to, offset }: PullRequest) =>
      post('/pulltransactions/v1/query', token, {
        ShortCode: shortCode,
        StartDate: eatText(from),
        EndDate: eatText(to),
        OffSetValue: String(offset),
      }),
  };
}

const EAT_OFFSET_MS = 3 * 60 * 60 * 1_000;

/** `YYYYMMDDHHmmss` in East Africa Time. */
function eatDigits(time: Date): string {
  return new Date(time.getTime() + EAT_OFFSET_MS).toISOString().slice(0, 19).replace(/\D/g, '');
}

/** `YYYY-MM-DD HH:mm:ss` in East Africa Time. */
function eatText(time: Date): string {
  return new Date(time.getTime() + EAT_OFFSET_MS).toISOString().slice(0, 19).replace('T', ' ');
}
