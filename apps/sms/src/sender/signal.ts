/** Something that one loop waits for and others announce. What is announced while nobody waits is not lost. */
export interface Signal {
  set(): void;
  /** Resolves when it is set, or was since the last wait, or after so many milliseconds; null for no limit. */
  wait(milliseconds: number | null): Promise<void>;
}

/** The longest time that a timer can take; more would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export function createSignal(): Signal {
  let isSet = false;
  let wake: (() => void) | null = null;
  return {
    set() {
      isSet = true;
      wake?.();
    },
    async wait(milliseconds) {
      if (!isSet) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const timer =
          milliseconds === null ? undefined : setTimeout(resolve, Math.min(milliseconds, LONGEST_TIMER_MS));
        await promise;
        clearTimeout(timer);
        wake = null;
      }
      isSet = false;
    },
  };
}
