/** What a code of M-PESA's means to us: a code of ours, and a sentence that the payer can read. */
interface ResultMeaning {
  readonly reason: string;
  readonly customerMessage: string;
}

const TRY_AGAIN = 'The payment did not go through. Please try again in a few minutes.';

/**
 * The codes with which a request to a phone ends without money. The texts that come with them vary and are never read.
 * Most are in Safaricom's list; 1001, 1036 and 9999 were seen in traffic, and so was `SFC_IC0003` for a till whose numbers
 * were mixed up.
 */
const MEANINGS: Readonly<Record<string, ResultMeaning>> = {
  1: { reason: 'insufficient_funds', customerMessage: 'There is not enough money in the M-PESA account.' },
  2: { reason: 'below_minimum', customerMessage: 'The amount is below the least that M-PESA moves.' },
  3: { reason: 'above_maximum', customerMessage: 'The amount is above the most that M-PESA moves at once.' },
  4: {
    reason: 'daily_limit',
    customerMessage: 'The payment would pass the daily limit of the M-PESA account.',
  },
  8: { reason: 'receiver_full', customerMessage: TRY_AGAIN },
  17: {
    reason: 'repeated_too_soon',
    customerMessage: 'The same amount was paid a moment ago. Please wait two minutes and try again.',
  },
  1001: {
    reason: 'subscriber_busy',
    customerMessage: 'Another M-PESA request is open on this phone. Please finish it and try again.',
  },
  1019: {
    reason: 'expired',
    customerMessage: 'The request expired before it was answered. Please try again.',
  },
  1025: { reason: 'prompt_failed', customerMessage: TRY_AGAIN },
  1032: { reason: 'cancelled', customerMessage: 'The payment was cancelled on the phone.' },
  1036: { reason: 'phone_unreachable', customerMessage: 'The phone could not be reached. Please try again.' },
  1037: {
    reason: 'no_answer',
    customerMessage: 'The request was not answered on the phone. Please try again.',
  },
  2001: { reason: 'wrong_pin', customerMessage: 'The M-PESA PIN was wrong.' },
  2028: { reason: 'not_permitted', customerMessage: TRY_AGAIN },
  8006: { reason: 'pin_locked', customerMessage: 'The M-PESA PIN is locked. Please call Safaricom on 100.' },
  9999: { reason: 'prompt_failed', customerMessage: TRY_AGAIN },
  SFC_IC0003: { reason: 'no_such_receiver', customerMessage: TRY_AGAIN },
};

/** Paid. It is the only code that says so. */
export const PAID_CODE = '0';

/** An answer to the query, and never the end of a payment (seen in traffic, not documented). */
export const PENDING_CODE = '4999';

/** Our code for one of M-PESA's; null for one that is not listed. */
export function reasonOfResult(code: string): string | null {
  return Object.hasOwn(MEANINGS, code) ? (MEANINGS[code]?.reason ?? null) : null;
}

/** What the payer can be told about a payment that came to nothing; null where there is nothing to tell. */
export function customerMessageOf(reason: string | null): string | null {
  if (reason === null) return null;
  const meaning = Object.values(MEANINGS).find((each) => each.reason === reason);
  return meaning?.customerMessage ?? TRY_AGAIN;
}

/** A code as we keep it: numbers and texts alike. Null for what is no code. */
export function readResultCode(text: string | undefined): string | null {
  const code = text?.trim() ?? '';
  return /^[A-Za-z0-9_.-]{1,40}$/.test(code) ? code : null;
}
