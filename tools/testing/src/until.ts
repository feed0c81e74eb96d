import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

/** How a wait ends. */
export interface Patience<Seen> {
  /** Whether what was seen is what was waited for. Default: it is neither null, undefined nor false. */
  readonly isFit?: (seen: Seen) => boolean;
  /** What of it may be printed when the wait is given up; all of it by default. */
  readonly show?: (seen: Seen) => unknown;
  /** Milliseconds until the wait is given up. Default: four minutes, as many as a very busy machine may need. */
  readonly limitMs?: number;
}

type Found<Seen> = Exclude<NonNullable<Seen>, false>;

const USUAL_LIMIT_MS = 240_000;
const PAUSE_MS = 10;

/** The wait was given up: its message says what was waited for and what was seen last. */
export class NothingCameError extends Error {
  override readonly name = 'NothingCameError';
}

/**
 * Looks until what it sees is what the caller waits for, and gives that. An error of `look` ends the wait at once.
 *
 * @param what what is waited for, in words: `eight messages accepted`
 * @throws {NothingCameError} when it does not come
 */
export function until<Seen>(
  what: string,
  look: () => Seen | Promise<Seen>,
  patience: Patience<Seen> & { readonly isFit: (seen: Seen) => boolean },
): Promise<Seen>;
export function until<Seen>(
  what: string,
  look: () => Seen | Promise<Seen>,
  patience?: Patience<Seen>,
): Promise<Found<Seen>>;
export async function until<Seen>(
  what: string,
  look: () => Seen | Promise<Seen>,
  { isFit = isThere, show = (seen) => seen, limitMs = USUAL_LIMIT_MS }: Patience<Seen> = {},
): Promise<Seen> {
  const begun = performance.now();
  for (;;) {
    // The time is read before the look: what comes late is still seen, however long the process was kept waiting.
    const isLast = performance.now() - begun >= limitMs;
    const seen = await look();
    if (isFit(seen)) return seen;
    if (isLast) {
      const last = inspect(show(seen), { depth: 4, breakLength: Infinity });
      throw new NothingCameError(
        `waited ${String(limitMs / 1_000)} s in vain for: ${what}. Last seen: ${last}`,
      );
    }
    await sleep(PAUSE_MS);
  }
}

function isThere(seen: unknown): boolean {
  return seen !== null && seen !== undefined && seen !== false;
}
