import type { ErrorDescriptions } from './kinds.ts';

/** What can be wrong with a request of any subject. */
export const REQUEST_ERRORS = {
  invalid_request: {
    kind: 'refused',
    title: 'The request does not have the required form.',
    advice: 'The request cannot be done as it is; the field named in `field` must be corrected.',
  },
  invalid_amount: {
    kind: 'refused',
    title: 'The amount is not a sum of money that can be moved.',
    advice:
      'The amount must be a decimal string with at most two decimals, above zero and below 100,000,000,000,000,000.',
  },
  key_reused: {
    kind: 'refused',
    status: 409,
    title: 'The idempotency key was used for another request.',
    advice: 'This idempotency key was used for another request; take a new key for a new request.',
  },
} as const satisfies ErrorDescriptions;
