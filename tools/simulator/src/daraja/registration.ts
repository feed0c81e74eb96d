import { isSendable } from '../target.ts';
import type { Context } from './context.ts';
import { refused } from './exchange.ts';
import type { Call, Reply } from './exchange.ts';
import { badRequest, REFUSALS } from './refusals.ts';
import type { Refusal } from './refusals.ts';
import type { RegisteredUrls } from './settings.ts';

/** Words that a URL may not have anywhere. */
const FORBIDDEN = ['M-PESA', 'MPESA', 'SAFARICOM', 'EXEC', 'EXE', 'CMD', 'SQL', 'QUERY'];

/** Tunnels and bins that production does not take. */
const FORBIDDEN_IN_PRODUCTION = ['NGROK', 'MOCKBIN', 'REQUESTBIN'];

/** `POST /mpesa/c2b/v<version>/registerurl`. Version 1 has numbers hashed in confirmations, version 2 masked. */
export function registerUrls(context: Context, call: Call, { version, requestId }: Registering): Reply {
  const { fields } = call;
  const refusal = refuse(context, fields);
  if (refusal !== null) return refused(refusal, requestId);
  context.urls = {
    confirmationUrl: fields['ConfirmationURL'] ?? '',
    validationUrl: fields['ValidationURL'] ?? '',
    responseType: fields['ResponseType'] === 'Cancelled' ? 'Cancelled' : 'Completed',
    version,
  };
  // The key is misspelt where it comes from.
  const body = { OriginatorCoversationID: requestId, ResponseCode: '0', ResponseDescription: 'success' };
  return { status: 200, body };
}

interface Registering {
  readonly version: RegisteredUrls['version'];
  readonly requestId: string;
}

function refuse(context: Context, fields: Call['fields']): Refusal | null {
  const { isProduction } = context.settings;
  if (fields['ShortCode'] !== context.organisation.shortCode) return badRequest('ShortCode');
  if (!/^(?:Completed|Cancelled)$/.test(fields['ResponseType'] ?? '')) return badRequest('ResponseType');
  for (const name of ['ConfirmationURL', 'ValidationURL']) {
    const why = whyForbidden(fields[name] ?? '', isProduction);
    if (why !== null) return urlRefusal(name, why);
  }
  return isProduction && context.urls !== null ? ALREADY_REGISTERED : null;
}

/** What is wrong with a URL; empty if it is no URL that can be called at all. Null for a good one. */
function whyForbidden(url: string, isProduction: boolean): string | null {
  const words = isProduction ? [...FORBIDDEN, ...FORBIDDEN_IN_PRODUCTION] : FORBIDDEN;
  const word = words.find((each) => url.toUpperCase().includes(each));
  if (word !== undefined) return ` - URL has the word ${word}`;
  if (isProduction) return /^https:/i.test(url) && URL.canParse(url) ? null : ' - URL is not https';
  return isSendable(url) ? null : '';
}

function urlRefusal(name: string, why: string): Refusal {
  return { status: 400, errorCode: '400.003.02', errorMessage: `Bad Request - Invalid ${name}${why}` };
}

const ALREADY_REGISTERED: Refusal = {
  ...REFUSALS['server-error'],
  errorMessage: 'Urls are already registered',
};
