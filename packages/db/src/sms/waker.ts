import type { Handle } from '../connection/handle.ts';
import { wakeSmsSenders } from './queue.ts';

/** Wakes the senders when there is something to send, at most once in a pause. */
export interface SmsWaker {
  /** Returns at once. The senders hear of it within the pause. */
  wake(): void;
  /** Sends a wake-up that is still wanted. */
  close(): Promise<void>;
}

/** Milliseconds between two wake-ups. A deposit alone wakes at once, and a thousand a second cost ten wake-ups. */
const PAUSE_MS = 100;

/**
 * Wakes the senders after commits. It is outside of the transaction that moves money, because a NOTIFY makes commits
 * wait for each other; and it may fail, because the senders poll.
 */
export function createSmsWaker(db: Handle): SmsWaker {
  let pause: NodeJS.Timeout | null = null;
  let isWanted = false;
  let underWay: Promise<void> = Promise.resolve();

  function notify(): void {
    isWanted = false;
    pause = setTimeout(() => {
      pause = null;
      if (isWanted) notify();
    }, PAUSE_MS);
    pause.unref();
    // A lost wake-up only delays a message until the next poll.
    underWay = underWay.then(() => wakeSmsSenders(db)).catch(() => undefined);
  }

  return {
    wake() {
      if (pause === null) notify();
      else isWanted = true;
    },
    async close() {
      if (pause !== null) clearTimeout(pause);
      if (isWanted) notify();
      if (pause !== null) clearTimeout(pause);
      await underWay;
    },
  };
}
