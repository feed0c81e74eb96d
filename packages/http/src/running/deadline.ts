/** A piece of work did not end in time. It may still be going on. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
  readonly code = 'deadline_exceeded';

  constructor(milliseconds: number) {
    super(`the work did not end within ${String(milliseconds)} ms`);
  }
}

/** Waits for the work, but not longer than the time given; then rejects with `DeadlineError`. */
export async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new DeadlineError(milliseconds));
  }, milliseconds);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
