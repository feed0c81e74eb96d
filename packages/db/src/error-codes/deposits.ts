import type { ErrorDescriptions } from './kinds.ts';

/** Payments from M-PESA, and what people decide about them. */
export const DEPOSIT_ERRORS = {
  invalid_deposit: {
    kind: 'refused',
    title: 'The deposit cannot be recorded as it is described.',
    advice: 'The deposit cannot be recorded as it is; the field named in `field` must be corrected.',
  },
  not_in_suspense: {
    kind: 'refused',
    title: 'This payment is not in suspense.',
    advice: 'This payment is not in suspense. Nothing moved.',
  },
  already_assigned: {
    kind: 'refused',
    status: 409,
    title: 'This payment has been assigned to a wallet.',
    advice: 'This payment is in a wallet already; reverse that assignment first. Nothing moved.',
  },
  already_posted: {
    kind: 'refused',
    status: 409,
    title: 'This payment has been posted.',
    advice: 'This payment has been posted. Nothing moved.',
  },
  unknown_callback: {
    kind: 'refused',
    status: 404,
    title: 'There is no such callback.',
    advice: 'There is no callback with this id.',
  },
  nothing_to_resolve: {
    kind: 'refused',
    title: 'This callback waits for no decision.',
    advice: 'This callback does not wait for a decision.',
  },
  already_resolved: {
    kind: 'refused',
    status: 409,
    title: 'This callback has been resolved in another way.',
    advice: 'This callback has been resolved in another way; post a movement of your own if that was wrong.',
  },
  unknown_payment: {
    kind: 'refused',
    status: 404,
    title: 'There is no such payment.',
    advice: 'No payment has this id.',
  },
  nothing_to_correct: {
    kind: 'refused',
    title: 'This payment has no money in another wallet.',
    advice: 'No receipt of this payment was credited to another wallet. Look at its events; nothing moved.',
  },
  nothing_to_review: {
    kind: 'refused',
    title: 'This payment has no flag that a review ends.',
    advice:
      'Nothing about this payment waits for a review. It is not flagged, or a decision about a callback ends its flag: see its events.',
  },
  not_correctable: {
    kind: 'refused',
    title: 'This deposit cannot be corrected by its difference.',
    advice:
      'The deposit cannot be corrected by its difference: the amounts are equal, it went through suspense, was moved to another wallet, was sent back in part or was corrected before. Reverse it, or keep it and post a movement of your own.',
  },
} as const satisfies ErrorDescriptions;
