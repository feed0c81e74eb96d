import type { Handle } from '../connection/handle.ts';
import { wakeSmsSenders } from './queue.ts';

/** Tells the senders that there is something to send, now and then at most. */
export interface SmsWaker {
  /** Returns at once. The senders hear of it within the pause. */
  wake(): void;
  /** Says what is still to be said. */
  close(): Promise<void>;
}

/** Between two wake-ups; milliseconds. A deposit alone is told at once, and a thousand a second cost ten. */
const PAUSE_MS = 100;

/**
 * Wakes the senders after commits. It is outside of the transaction that moves money, because a NOTIFY makes commits
 * wait for each other; and it may fail, because the senders poll.
 */
export function createSmsWaker(db: Handle): SmsWaker {
  let pause: NodeJS.Timeout | null = null;
  let isWanted = false;
  let underWay: Promise<void> = Promise.resolve();

  function say(): void {
    isWanted = false;
    pause = setTimeout(() => {
      pause = null;
      if (isWanted) say();
    }, PAUSE_MS);
    pause.unref();
    // A wake-up that is lost delays a message until the next poll, no more.
    underWay = underWay.then(() => wakeSmsSenders(db)).catch(() => undefined);
  }

  return {
    wake() {
      if (pause === null) say();
      else isWanted = true;
    },
    async close() {
      if (pause !== null) clearTimeout(pause);
      if (isWanted) say();
      if (pause !== null) clearTimeout(pause);
      await underWay;
    },
  };
}
