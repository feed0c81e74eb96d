import type { DeliveryState } from '@repo/db';

/**
 * What the statuses of Africa's Talking mean, in its spelling. `AbsentSubscriber` is not final, for networks keep the
 * message for a phone that is off.
 */
const STATES = {
  Sent: 'accepted',
  Submitted: 'submitted',
  Buffered: 'buffered',
  AbsentSubscriber: 'absent',
  Rejected: 'rejected',
  Failed: 'failed',
  Expired: 'expired',
  Success: 'delivered',
} as const satisfies Record<string, DeliveryState>;

/** A status: what it means to us, and the provider's own word. */
export interface DeliveryStatus {
  readonly state: DeliveryState;
  readonly status: string;
}

const LISTED: ReadonlyMap<string, DeliveryStatus> = new Map(
  Object.entries(STATES).map(([status, state]) => [status.toLowerCase(), { state, status }]),
);

/** Finds a status whatever its capitals. One that is not listed stays as it was sent, and its meaning is unknown. */
export function deliveryStatusOf(word: string): DeliveryStatus {
  return LISTED.get(word.toLowerCase()) ?? { state: 'unknown', status: word };
}
