import type { ErrorDescriptions } from './kinds.ts';

/** Endpoints that get events, and deliveries to them. */
export const WEBHOOK_ERRORS = {
  webhook_exists: {
    kind: 'refused',
    status: 409,
    title: 'This address is registered.',
    advice: 'An active endpoint has this address: disable it first, then register it with a new secret.',
  },
  unknown_webhook: {
    kind: 'refused',
    status: 404,
    title: 'There is no such endpoint.',
    advice: 'No endpoint has this id.',
  },
  unknown_delivery: {
    kind: 'refused',
    status: 404,
    title: 'There is no such delivery.',
    advice: 'No delivery has this id.',
  },
  webhook_disabled: {
    kind: 'refused',
    status: 409,
    title: 'This endpoint is disabled.',
    advice:
      'The endpoint of this delivery is disabled; register it again, and read what it missed from the lists.',
  },
} as const satisfies ErrorDescriptions;
