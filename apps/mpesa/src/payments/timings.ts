/** When something is done about a payment; milliseconds. */
export interface PaymentTimings {
  /** Between two looks at what is due. */
  readonly pauseMs: number;
  /** How long one process may take for what it took: longer than a request to M-PESA with a new token. */
  readonly leaseMs: number;
  /** From the acceptance to the first question, doubled each time up to the longest. */
  readonly firstQueryMs: number;
  readonly longestQueryMs: number;
  /** Questions in all; afterwards the payment is UNKNOWN. */
  readonly mostQueries: number;
  /** From a busy answer to the next attempt, doubled each time. */
  readonly firstRetryMs: number;
  /** Attempts in all, the first included: a prompt that comes minutes later surprises the payer. */
  readonly mostAttempts: number;
  /** Questions about one receipt. */
  readonly mostInquiries: number;
}

/** A prompt waits about a minute for its PIN; the questions go on for four hours. */
export const USUAL_TIMINGS: PaymentTimings = {
  pauseMs: 1_000,
  leaseMs: 90_000,
  firstQueryMs: 30_000,
  longestQueryMs: 1_800_000,
  mostQueries: 14,
  firstRetryMs: 2_000,
  mostAttempts: 5,
  mostInquiries: 8,
};

/** When to ask again after so many questions; null when it was asked often enough. */
export function queryDelay(
  checks: number,
  { firstQueryMs, longestQueryMs, mostQueries }: PaymentTimings,
): number | null {
  if (checks >= mostQueries) return null;
  return Math.min(firstQueryMs * 2 ** checks, longestQueryMs);
}

/** When to send again after so many attempts; null when it was sent often enough. */
export function retryDelay(attempts: number, { firstRetryMs, mostAttempts }: PaymentTimings): number | null {
  if (attempts >= mostAttempts) return null;
  return firstRetryMs * 2 ** (attempts - 1);
}
