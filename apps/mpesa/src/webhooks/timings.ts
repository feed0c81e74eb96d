/** When events are delivered; milliseconds. */
export interface WebhookTimings {
  /** Between two looks at what is due. */
  readonly pauseMs: number;
  /** From the call to the end of the answer. */
  readonly timeoutMs: number;
  /** How long one process may take for what it took: longer than a delivery and its record. */
  readonly leaseMs: number;
  /** From each failed attempt to the next; the attempt after the last one is the end. */
  readonly delaysMs: readonly number[];
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Eight attempts in about a day. */
export const USUAL_WEBHOOK_TIMINGS: WebhookTimings = {
  pauseMs: SECOND,
  timeoutMs: 10 * SECOND,
  leaseMs: MINUTE,
  delaysMs: [5 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 15 * HOUR],
};

/** How much later than planned an attempt may be, so that those who failed together do not come back together. */
const JITTER = 0.2;

/** When to try again after an attempt, counted from 1; null when it was tried often enough. */
export function webhookDelay(
  attempt: number,
  { delaysMs }: WebhookTimings,
  random = Math.random,
): number | null {
  const delay = delaysMs[attempt - 1];
  return delay === undefined ? null : Math.round(delay * (1 + JITTER * random()));
}
