import { withJitter } from './back-off.ts';

/** What an answer shows about the provider; `nothing` when it was not asked. */
export type Verdict = 'works' | 'fails' | 'nothing';

export type CircuitState = 'closed' | 'open' | 'half_open';

/** Names the stretch of time in which a request left, so that its answer is not taken for news of a later one. */
type Ticket = number;

export interface CircuitOptions {
  /** So many failures in a row open it. Default: 10. */
  readonly failures?: number;
  /** The first pause, milliseconds. Default: 1,000. Each one after it is twice as long, with jitter. */
  readonly firstPauseMs?: number;
  /** 60,000 when absent. */
  readonly longestPauseMs?: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

/**
 * Keeps messages from a provider that is down. Failures in a row open it, or one answer that asks for fewer requests:
 * then nothing leaves. After a pause it is half open and lets one request through; if that succeeds it closes, else
 * the next pause is longer.
 */
export interface Circuit {
  readonly state: CircuitState;
  /** How many requests may leave now, beside those under way. */
  readonly allowance: number;
  /** After how many milliseconds the allowance may have grown by itself; null when only an answer can change it. */
  readonly waitMs: number | null;
  /** A request leaves. */
  begin(): Ticket;
  /** What its answer says, and how long the provider asks to be left alone. */
  report(ticket: Ticket, verdict: Verdict, retryAfterMs?: number): void;
}

const LONGEST_ASKED_PAUSE_MS = 600_000;

export function createCircuit(options: CircuitOptions = {}): Circuit {
  const { failures = 10, firstPauseMs = 1_000, longestPauseMs = 60_000 } = options;
  const now = options.now ?? (() => performance.now());
  let epoch: Ticket = 0;
  let openUntil: number | null = null;
  let isProbing = false;
  let inARow = 0;
  let pauses = 0;

  function stateNow(): CircuitState {
    if (openUntil === null) return 'closed';
    return now() < openUntil ? 'open' : 'half_open';
  }

  function open(askedMs: number | undefined): void {
    const pauseMs = withJitter(Math.min(firstPauseMs * 2 ** pauses, longestPauseMs));
    // No provider may stop us for hours by a slip of its clock.
    const wantedMs = Math.min(askedMs ?? 0, LONGEST_ASKED_PAUSE_MS);
    openUntil = now() + Math.max(pauseMs, wantedMs);
    epoch += 1;
    pauses = Math.min(pauses + 1, 30);
    isProbing = false;
    inARow = 0;
  }

  return {
    get state() {
      return stateNow();
    },
    get allowance() {
      const state = stateNow();
      if (state === 'closed') return Number.POSITIVE_INFINITY;
      return state === 'half_open' && !isProbing ? 1 : 0;
    },
    get waitMs() {
      return openUntil === null || isProbing ? null : Math.max(0, openUntil - now());
    },
    begin() {
      if (openUntil !== null) isProbing = true;
      return epoch;
    },
    report(ticket, verdict, retryAfterMs) {
      // What left before it opened says nothing of the provider as it is now.
      if (ticket !== epoch) return;
      if (verdict === 'works') {
        openUntil = null;
        isProbing = false;
        inARow = 0;
        pauses = 0;
      } else if (verdict === 'nothing') {
        isProbing = false;
      } else {
        inARow += 1;
        if (isProbing || retryAfterMs !== undefined || inARow >= failures) open(retryAfterMs);
      }
    },
  };
}
