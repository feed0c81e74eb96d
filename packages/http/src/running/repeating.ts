/** Work that is done again and again. */
export interface Repeating {
  /** Ends it; resolves when the round under way is done. */
  stop(): Promise<void>;
}

export interface RepeatingOptions {
  /** Between the end of a round and the beginning of the next; milliseconds. */
  readonly pauseMs: number;
  /** Whether the first round begins at once; otherwise a pause comes first. */
  readonly startsNow?: boolean;
}

/**
 * Does the work round after round, never two at once. It keeps no process alive. The work handles its own errors, and
 * looks at the signal where a round is long.
 */
export function startRepeating(
  work: (signal: AbortSignal) => Promise<void>,
  { pauseMs, startsNow = false }: RepeatingOptions,
): Repeating {
  const stopped = new AbortController();
  const { signal } = stopped;
  let underWay: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | null = null;

  async function round(): Promise<void> {
    await work(signal);
    schedule();
  }

  function schedule(): void {
    if (signal.aborted) return;
    timer = setTimeout(() => {
      underWay = round();
    }, pauseMs);
    timer.unref();
  }

  if (startsNow) underWay = round();
  else schedule();
  return {
    async stop() {
      stopped.abort();
      if (timer !== null) clearTimeout(timer);
      await underWay;
    },
  };
}
