import { setTimeout as sleep } from 'node:timers/promises';

const TRIES = 5;

/**
 * Runs `work` again while it fails with something worth another try, five times at most. The pauses grow and are
 * random, so that those who collided do not meet again.
 */
export async function retry<Result>(
  work: () => Promise<Result>,
  isWorthIt: (error: unknown) => boolean,
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === TRIES || !isWorthIt(error)) throw error;
    }
    await sleep(Math.random() * 10 * 2 ** attempt);
  }
}
