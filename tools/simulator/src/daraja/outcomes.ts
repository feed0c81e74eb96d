/** How a prompt ended, as the callback and the query report it. */
export interface Outcome {
  /** A text where M-PESA itself has letters in it. */
  readonly code: number | string;
  /** The wordings of callbacks; which one comes differs from time to time. */
  readonly texts: readonly [string, ...string[]];
  /** The wording of the query, where it is another one. */
  readonly queryText?: string;
}

/** Every ending of a prompt that was seen or is documented, by the name that behaviours use. */
export const OUTCOMES = {
  paid: { code: 0, texts: ['The service request is processed successfully.'] },
  'insufficient-funds': {
    code: 1,
    texts: [
      'The balance is insufficient for the transaction.',
      'The balance is insufficient for the transaction',
    ],
  },
  'below-minimum': {
    code: 2,
    texts: ['Declined due to limit rule: less than the minimum transaction amount.'],
  },
  'above-maximum': {
    code: 3,
    texts: ['Declined due to limit rule: greater than the maximum transaction amount.'],
  },
  'daily-limit': { code: 4, texts: ['Declined due to limit rule: would exceed daily transfer limit.'] },
  'receiver-full': { code: 8, texts: ['Declined due to limit rule: would exceed the maximum balance.'] },
  'same-again': { code: 17, texts: ['Rule limited.'] },
  'busy-subscriber': {
    code: 1001,
    texts: ['Unable to lock subscriber, a transaction is already in process for the current subscriber'],
  },
  expired: { code: 1019, texts: ['Transaction has expired', 'Transaction expired. No MO has been received'] },
  'push-failed': { code: 1025, texts: ['An error occurred while sending a push request'] },
  cancelled: {
    code: 1032,
    texts: [
      'Request cancelled by user',
      'Request Cancelled by user.',
      '[STK_CB - ]Request cancelled by user',
    ],
  },
  'not-acknowledged': { code: 1036, texts: ['[STK_CB - ]SMSC ACK timeout.'] },
  unreachable: { code: 1037, texts: ['DS timeout user cannot be reached', 'DS timeout.'] },
  'no-answer': { code: 1037, texts: ['No response from user.'], queryText: 'No response from user.' },
  'wrong-pin': {
    code: 2001,
    texts: ['The initiator information is invalid.', '[MpesaCB - ]The initiator information is invalid.'],
  },
  'not-permitted': {
    code: 2028,
    texts: ['The request is not permitted according to product assignment.'],
  },
  locked: { code: 8006, texts: ['The security credential is locked.'] },
  'system-error': { code: 9999, texts: ['An error occurred while sending a push request.'] },
  'no-operator': { code: 'SFC_IC0003', texts: ['The operator does not exist.'] },
} as const satisfies Record<string, Outcome>;

export type OutcomeName = keyof typeof OUTCOMES;

export function outcomeOf(name: OutcomeName): Outcome {
  return OUTCOMES[name];
}
