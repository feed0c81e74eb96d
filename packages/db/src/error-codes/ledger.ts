import type { ErrorDescriptions } from './kinds.ts';

/** Transfers, holds, reversals and fees. */
export const LEDGER_ERRORS = {
  insufficient_funds: {
    kind: 'refused',
    title: 'There is not enough money available.',
    advice: 'There is not enough available in the wallet. Nothing moved.',
  },
  same_wallet: {
    kind: 'refused',
    title: 'Both sides are the same wallet.',
    advice: 'Money cannot move from a wallet to itself.',
  },
  currency_mismatch: {
    kind: 'refused',
    title: 'The currencies differ.',
    advice: 'The wallets and the request must have one currency. Nothing moved.',
  },
  unknown_transaction: {
    kind: 'refused',
    status: 404,
    title: 'There is no such transaction.',
    advice: 'There is no transaction with this reference.',
  },
  not_reversible: {
    kind: 'refused',
    title: 'This cannot be reversed.',
    advice: 'A reversal cannot be reversed; post the transaction again instead.',
  },
  already_reversed: {
    kind: 'refused',
    status: 409,
    title: 'This has been sent back already.',
    advice: 'Nothing is left of this transaction to send back.',
  },
  exceeds_remaining: {
    kind: 'refused',
    title: 'That is more than is left to send back.',
    advice: 'More was asked back than is left of this transaction. Nothing moved.',
  },
  not_divisible: {
    kind: 'refused',
    title: 'An assignment goes back whole or not at all.',
    advice:
      'The assignment of a payment goes back whole or not at all; wait until there is enough in the wallet. Nothing moved.',
  },
  funds_spent: {
    kind: 'refused',
    title: 'The money has been spent.',
    advice: 'The money has been spent; ask back what is left, or wait until there is enough. Nothing moved.',
  },
  unknown_hold: {
    kind: 'refused',
    status: 404,
    title: 'There is no such hold.',
    advice: 'There is no hold with this id.',
  },
  hold_closed: {
    kind: 'refused',
    status: 409,
    title: 'The hold is no longer active.',
    advice: 'The hold was captured, released or has expired. Nothing moved.',
  },
  expiry_passed: {
    kind: 'refused',
    title: 'The hold would end before it begins.',
    advice: 'A hold must end in the future; choose a later expiresAt, or none. Nothing was reserved.',
  },
  exceeds_hold: {
    kind: 'refused',
    title: 'That is more than is held.',
    advice: 'More was to be captured than is held. Nothing moved.',
  },
  unknown_fee_rule: {
    kind: 'refused',
    status: 404,
    title: 'There is no such fee rule.',
    advice: 'There is no fee rule with this id.',
  },
  time_passed: {
    kind: 'refused',
    title: 'A fee rule begins and ends now or later.',
    advice:
      'A fee rule begins and ends now or later, and ends after it begins: what was charged stays as it was.',
  },
  fee_rule_planned: {
    kind: 'refused',
    status: 409,
    title: 'Another fee rule begins while this one would hold.',
    advice:
      'Another rule for the same type, currency and lower bound begins while this one would hold; end that one first, or let this one end before it.',
  },
  fee_rule_ended: {
    kind: 'refused',
    status: 409,
    title: 'The fee rule ends before that.',
    advice: 'The fee rule ends before that; set a new one instead.',
  },
  // Only what was recorded is hashed in a service, so no request leads there.
  invalid_hash_input: {
    kind: 'bug',
    advice:
      'The reference must be well-formed text without NUL, and the time a valid date of the years 1 to 9999.',
  },
} as const satisfies ErrorDescriptions;
