import { ERRORS } from './errors.ts';
import type { EnginePanic } from './errors.ts';

/** A panic leaves the module unusable for the rest of the process, so there is one at most. */
export interface PanicWatch {
  /** Never resolves; rejects when the module panics. */
  readonly next: Promise<never>;
  throwIfPanicked(): void;
}

/**
 * Hears of panics in two ways: the module tells the message to a global object that it expects, and it then throws,
 * mostly in a callback where nobody catches it. An error that nobody catches is taken for a panic too, so that the
 * request under way is answered whatever happens.
 */
export function watchPanics(): PanicWatch {
  const { promise, reject } = Promise.withResolvers<never>();
  let panic: EnginePanic | undefined;
  const report = (message: string) => {
    panic ??= ERRORS.panicked(message);
    reject(panic);
  };
  // Nobody may be waiting when it happens; the next call is then answered with it.
  promise.catch(() => undefined);
  Reflect.set(globalThis, 'PRISMA_WASM_PANIC_REGISTRY', { set_message: report });
  process.on('uncaughtException', (error) => report(error.stack ?? error.message));
  return {
    next: promise,
    throwIfPanicked: () => {
      if (panic) throw panic;
    },
  };
}
