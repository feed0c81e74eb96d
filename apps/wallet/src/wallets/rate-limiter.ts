export interface RateLimiterOptions {
  /** What one key may do in a minute on average, and at most at once. */
  readonly perMinute: number;
  /** The clock, in milliseconds; the process's monotonic one when absent. */
  readonly now?: () => number;
}

/** A token bucket for each key. */
export interface RateLimiter {
  /** How long the key has to wait until it may go on; milliseconds, 0 when it may now. Spends nothing. */
  waitMs(key: string): number;
  /** How many tokens there are, whole ones. */
  room(key: string): number;
  /** Spends one token. Callers check first whether there is room. */
  spend(key: string): void;
}

interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

/**
 * Limits by token buckets (each fills up evenly and holds one minute's worth). The keys are those of the callers that
 * were let in, a short list, so no bucket is ever thrown away. Each process counts for itself.
 */
export function createRateLimiter({
  perMinute,
  now = () => performance.now(),
}: RateLimiterOptions): RateLimiter {
  const perMs = perMinute / 60_000;
  const buckets = new Map<string, Bucket>();

  function tokensOf(key: string, at: number): number {
    const bucket = buckets.get(key);
    return bucket === undefined ? perMinute : Math.min(perMinute, bucket.tokens + (at - bucket.at) * perMs);
  }

  return {
    waitMs(key) {
      const missing = 1 - tokensOf(key, now());
      return missing <= 0 ? 0 : missing / perMs;
    },
    room: (key) => Math.floor(tokensOf(key, now())),
    spend(key) {
      const at = now();
      buckets.set(key, { tokens: tokensOf(key, at) - 1, at });
    },
  };
}
