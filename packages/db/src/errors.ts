import { ERROR_CATALOGUE } from './error-codes/catalogue.ts';
import type { ErrorCode } from './error-codes/catalogue.ts';
import type { ErrorKind } from './error-codes/kinds.ts';

/** What can be wrong with an amount. */
const AMOUNT_FAULTS = {
  malformed:
    'The amount must be a decimal string such as "1500.00": digits and at most one point between them, no grouping and no exponent.',
  negative: 'The amount must be above zero; money that goes the other way changes sides, not its sign.',
  zero: 'The amount must be above zero.',
  not_whole: 'The amount must be whole shillings: M-PESA asks a phone for no cents.',
  too_many_decimals: 'The amount must have at most two decimals: nothing is smaller than a cent.',
  too_large:
    'The amount, or the balance that it would lead to, must have at most 17 digits before the point.',
} as const;

export type AmountFault = keyof typeof AMOUNT_FAULTS;

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
  readonly kind: ErrorKind;
  readonly field: string | undefined;

  constructor(code: ErrorCode, options: ErrorOptionsWithField = {}) {
    const { kind, advice: usual } = ERROR_CATALOGUE[code];
    const advice = options.advice ?? usual;
    super(
      options.field === undefined ? advice : `${advice} (${options.field})`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.kind = kind;
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
