const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
const GRACE_MS = 15_000;

/**
 * A signal that fires when the process is told to stop. The CLI sends SIGTERM at the end of every command; a terminal
 * sends SIGINT to the whole group of processes. If stopping takes too long, the process ends by force.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) return;
    controller.abort();
    setTimeout(() => process.exit(1), GRACE_MS).unref();
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  return controller.signal;
}
