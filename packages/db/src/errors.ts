/** Every error that this package throws on purpose: its code, and what the reader should do. */
const CATALOGUE = {
  invalid_amount:
    'The amount must be a decimal string of KES with at most two decimals, above zero and below 100,000,000,000,000,000.',
  invalid_hash_input:
    'The reference must be well-formed text without NUL, and the time a valid date of the years 1 to 9999.',
  invalid_deposit: 'The deposit cannot be recorded as it is; the field named in `field` must be corrected.',
  invalid_wallet:
    'The wallet cannot be opened or changed as it is; the field named in `field` must be corrected.',
  wallet_exists: 'There is a wallet with this number already; look it up or choose another number.',
  database_unavailable:
    'The database cannot be reached or takes no writes; check DATABASE_URL, and that the server is up, is the primary and has room. Nothing was recorded.',
  pool_exhausted:
    'All database connections are in use; raise maxConnections, or find what holds them open. Nothing was recorded.',
  database_busy:
    'The database could not finish this among concurrent work, after several tries; try again. Nothing was recorded.',
  outcome_unknown:
    'The connection was lost while the answer was awaited; the work may or may not be done. Repeat it with the same reference: it is done once.',
  transaction_lost:
    'The database rolled the transaction back at COMMIT because an earlier statement in it had failed; do not catch errors inside a transaction.',
  transaction_timeout:
    'The transaction took longer than timeoutMs and was rolled back; do less in it, or raise timeoutMs. Nothing was recorded.',
  schema_outdated: 'The database lacks a function, table or column of this release; run db:deploy.',
  schema_newer: 'The database has a migration that this release does not know; run the release that has it.',
  client_outdated:
    "Prisma's client was generated from other models than prisma/schema has now; run `npm run generate`.",
  append_only: 'This table is append-only; correct a mistake with a reversal.',
  around_the_door:
    'What decides over money, identity or what is sent changes only through the functions of this package.',
  queue_full: 'The intake holds as many deposits as it may; slow down and try again. Nothing was recorded.',
  intake_closed: 'The intake is closed and takes no more deposits. Nothing was recorded.',
  deposit_failed: 'The database refused this deposit; the cause says how. Nothing was recorded.',
  request_failed: 'The database refused this request; the cause says how. Nothing was recorded.',
  invalid_request: 'The request cannot be done as it is; the field named in `field` must be corrected.',
  key_reused: 'This idempotency key was used for another request; take a new key for a new request.',
  insufficient_funds: 'There is not enough available in the wallet. Nothing moved.',
  wallet_frozen: 'A wallet of this request is frozen. Nothing moved.',
  wallet_closed: 'A wallet of this request is closed. Nothing moved.',
  unknown_wallet: 'There is no such wallet. Nothing moved.',
  same_wallet: 'Money cannot move from a wallet to itself.',
  currency_mismatch: 'The wallets and the request must have one currency. Nothing moved.',
  unknown_transaction: 'There is no transaction with this reference.',
  not_reversible: 'A reversal cannot be reversed; post the transaction again instead.',
  already_reversed: 'Nothing is left of this transaction to send back.',
  exceeds_remaining: 'More was asked back than is left of this transaction. Nothing moved.',
  not_divisible:
    'The assignment of a payment goes back whole or not at all; wait until there is enough in the wallet. Nothing moved.',
  funds_spent:
    'The money has been spent; ask back what is left, or wait until there is enough. Nothing moved.',
  unknown_hold: 'There is no hold with this id.',
  hold_closed: 'The hold was captured, released or has expired. Nothing moved.',
  expiry_passed: 'A hold must end in the future; choose a later expiresAt, or none. Nothing was reserved.',
  exceeds_hold: 'More was to be captured than is held. Nothing moved.',
  unknown_fee_rule: 'There is no fee rule with this id.',
  time_passed:
    'A fee rule begins and ends now or later, and ends after it begins: what was charged stays as it was.',
  fee_rule_planned:
    'Another rule for the same type, currency and lower bound begins while this one would hold; end that one first, or let this one end before it.',
  fee_rule_ended: 'The fee rule ends before that; set a new one instead.',
  not_in_suspense: 'This payment is not in suspense. Nothing moved.',
  already_assigned: 'This payment is in a wallet already; reverse that assignment first. Nothing moved.',
  already_posted: 'This payment has been posted. Nothing moved.',
  unknown_callback: 'There is no callback with this id.',
  nothing_to_resolve: 'This callback does not wait for a decision.',
  already_resolved:
    'This callback has been resolved in another way; post a movement of your own if that was wrong.',
  not_correctable:
    'The deposit cannot be corrected by its difference: there is none, it went through suspense, was sent back in part or was corrected before. Reverse it, or keep it and post a movement of your own.',
  wallet_not_empty: 'A wallet closes only when its balance is zero and nothing is held.',
  floor_too_high: 'The floor cannot be above what is available in the wallet; take a lower floor.',
  unknown_sms: 'There is no SMS with this id.',
  nothing_to_decide: 'The outcome of this SMS is not unknown, so there is nothing to decide; look it up.',
  unknown_template: 'No message has this key, or not in this language.',
  invalid_template: 'The text cannot be used for this message; the advice says why.',
  pooler_cannot_listen:
    'Notifications do not pass a pooler in transaction mode; listen on a direct connection, or poll.',
  database_error: 'The database refused the statement; the cause says how.',
} as const;

/** What can be wrong with an amount. */
const AMOUNT_FAULTS = {
  malformed:
    'The amount must be a decimal string such as "1500.00": digits and at most one point between them, no grouping and no exponent.',
  negative: 'The amount must be above zero; money that goes the other way changes sides, not its sign.',
  zero: 'The amount must be above zero.',
  too_many_decimals: 'The amount must have at most two decimals: nothing is smaller than a cent.',
  too_large:
    'The amount, or the balance that it would lead to, must have at most 17 digits before the point.',
} as const;

export type AmountFault = keyof typeof AMOUNT_FAULTS;

export type ErrorCode = keyof typeof CATALOGUE;

interface ErrorOptionsWithField {
  /** Words for this very case instead of those of the catalogue. */
  readonly advice?: string;
  /** Which field of the request is meant, where there is one. */
  readonly field?: string | undefined;
  /** Scrubbed of values already: it may be logged. */
  readonly cause?: unknown;
}

/** An error of this package. Neither its message nor its cause carries a phone number, a name or any value of a row. */
export class DaftariError extends Error {
  override readonly name = 'DaftariError';
  readonly code: ErrorCode;
  readonly field: string | undefined;

  constructor(code: ErrorCode, options: ErrorOptionsWithField = {}) {
    const advice = options.advice ?? CATALOGUE[code];
    super(
      options.field === undefined ? advice : `${advice} (${options.field})`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.field = options.field;
  }
}

/** An amount that cannot be moved (`invalid_amount`), and what is wrong with it. */
export class AmountError extends DaftariError {
  readonly fault: AmountFault;

  constructor(fault: AmountFault) {
    super('invalid_amount', { advice: AMOUNT_FAULTS[fault] });
    this.fault = fault;
  }
}

export function isDaftariError(error: unknown): error is DaftariError {
  return error instanceof DaftariError;
}
