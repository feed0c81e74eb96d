/** Every way in which this package fails on purpose. The code is for programs, the message for people. */
const ERROR_CODES = {
  AMOUNT_INVALID: 'the amount is not a sum of money',
  BASE_URL_INVALID: 'the public address of the service cannot be used',
  FACTS_CONTRADICT_HASH:
    'the transaction does not agree with its verification hash, so no receipt was signed',
  FACTS_INVALID: 'the transaction cannot be put on a receipt',
  FILE_UNREADABLE: 'the file cannot be read',
  KEYS_INVALID: 'the keys cannot be used',
  USAGE: 'the command was not called as it must be',
} as const;

export type ReceiptErrorCode = keyof typeof ERROR_CODES;

/** Messages never repeat a value: receipts are about people, and key files hold secrets. */
export class ReceiptError extends Error {
  override readonly name = 'ReceiptError';
  readonly code: ReceiptErrorCode;

  /** `advice` says what happened in particular and what to do about it. */
  constructor(code: ReceiptErrorCode, advice: string, options?: ErrorOptions) {
    super(`${ERROR_CODES[code]}: ${advice}`, options);
    this.code = code;
  }
}
