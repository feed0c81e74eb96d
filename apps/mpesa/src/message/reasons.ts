/**
 * Why a message could not be understood. The code is stored beside the message in the inbox and counted in the
 * metrics; the sentence tells the person who looks at it what to do.
 */
export const UNREADABLE_REASONS = {
  body_empty:
    'The request had no body. Nothing can be done with it; see whether a probe was sent to the URL.',
  body_too_large:
    'The body is over 64 KiB; its beginning is kept. M-PESA sends less than 1 KiB: find out who sent it.',
  body_incomplete:
    'The connection ended before the body did. Look the payment up in the M-PESA portal by the receipt, if there is one.',
  body_not_utf8: 'The body is not UTF-8 text. Look at the bytes and ask the sender.',
  body_not_json:
    'The body is not JSON. Look the payment up in the M-PESA portal by the receipt, if there is one.',
  body_too_deep: 'The body is nested deeper than any payment message. Find out who sent it.',
  body_not_object: 'The body is JSON, but not an object. Find out who sent it.',
  duplicate_key: 'A field occurs twice with different values. Look the payment up in the M-PESA portal.',
  callback_missing:
    'The body is JSON without Body.stkCallback or Result. Find out who sent it, and whether the URL was meant for it.',
  result_missing: 'ResultCode is missing. Look the payment up in the M-PESA portal.',
  result_contradictory:
    'ResultCode says that nothing was paid, and there is a receipt. Look the receipt up in the M-PESA portal.',
  unknown_checkout:
    'Nobody asked for this payment here. It credits nobody until M-PESA confirms the receipt; find out who asked for it.',
  amount_differs:
    'The amount is not what the phone was asked for. It credits nobody until M-PESA confirms the receipt; look it up in the M-PESA portal.',
  unknown_inquiry: 'Nobody asked M-PESA about this receipt here. It credits nobody; find out who asked.',
  receipt_differs:
    'The answer is about another receipt than the one that was asked about. It credits nobody; look it up in the M-PESA portal.',
  receipt_missing:
    'TransID is missing or empty. Look the payment up in the M-PESA portal by time and amount.',
  receipt_invalid:
    'TransID is not 6 to 20 letters (A-Z) and digits. Look the payment up in the M-PESA portal.',
  time_missing: 'TransTime is missing or empty. Look the receipt up in the M-PESA portal.',
  time_invalid:
    'TransTime is not a time of the form YYYYMMDDHHmmss. Look the receipt up in the M-PESA portal.',
  amount_missing: 'TransAmount is missing or empty. Look the receipt up in the M-PESA portal.',
  amount_invalid: 'TransAmount is not a plain decimal number. Look the receipt up in the M-PESA portal.',
  amount_not_positive: 'TransAmount is zero or less. Look the receipt up in the M-PESA portal.',
  amount_below_cent: 'TransAmount has a part below one cent. Look the receipt up in the M-PESA portal.',
  amount_too_large:
    'TransAmount has more than 17 digits before the point. Look the receipt up in the M-PESA portal.',
  short_code_missing: 'BusinessShortCode is missing or empty. Look the receipt up in the M-PESA portal.',
  short_code_invalid: 'BusinessShortCode is not 1 to 20 plain letters and digits. Look at the message.',
  unknown_path:
    'It came to an unknown path, with the right token: see which URLs are registered. If it reports a payment, look the receipt up in the M-PESA portal.',
  method_not_post:
    'It came with another method than POST: see what stands between M-PESA and the service. If it reports a payment, look the receipt up in the M-PESA portal.',
  source_not_allowed:
    'The sender is not in MPESA_SOURCE_ALLOWLIST. Extend the list if it is M-PESA, else change the token.',
} as const;

export type UnreadableReason = keyof typeof UNREADABLE_REASONS;

/** The result of reading something: its value, or the reason why it cannot be read. */
export type Read<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: UnreadableReason };

export function readable<T>(value: T): Read<T> {
  return { ok: true, value };
}

export function unreadable(reason: UnreadableReason): {
  readonly ok: false;
  readonly reason: UnreadableReason;
} {
  return { ok: false, reason };
}
