/** How long a message waits before its next attempt. */
export interface BackOff {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** Up to a half less, at random, so that those who failed together do not come back together. */
export function withJitter(milliseconds: number, random: () => number = Math.random): number {
  return milliseconds * (1 - random() / 2);
}

/** The pause after the attempt of this number, from 1: twice the last one, up to the longest, with jitter. */
export function pauseAfter(attempt: number, { firstMs, longestMs }: BackOff, random?: () => number): number {
  const pauseMs = Math.min(firstMs * 2 ** Math.min(attempt - 1, 30), longestMs);
  return Math.round(withJitter(pauseMs, random));
}
