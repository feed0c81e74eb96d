import { CommandError } from './errors.ts';
import { watchRunners } from './runners.ts';

/** Whether this process shall stop: because of a signal, or because what has started it is gone. */
export interface StopRequest extends Disposable {
  readonly signal: AbortSignal;
  /** Resolves when it shall. */
  readonly wanted: Promise<void>;
}

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Listens from now on. A signal that comes again changes nothing: one Ctrl-C reaches a process more than once, from the
 * terminal and from the package manager above it. Nor does output that nobody reads any more end the process by itself.
 */
export function awaitStop(): StopRequest {
  const { promise: wanted, resolve } = Promise.withResolvers<void>();
  const controller = new AbortController();
  const stop = (): void => {
    controller.abort(new CommandError('stopped', 'it was asked to.'));
    resolve();
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', stop);
  const watch = watchRunners(stop);
  return {
    signal: controller.signal,
    wanted,
    [Symbol.dispose]() {
      watch[Symbol.dispose]();
      // The handlers of signals stay: what comes late must not end the process in the middle of its last words.
    },
  };
}
