import type { Server } from './server.ts';

export interface ShutdownOptions {
  /** The signals that ask the process to end. */
  readonly signals: readonly NodeJS.Signals[];
  /** The longest wait for requests that are under way; 25 seconds when absent, less than orchestrators allow. */
  readonly graceMs?: number;
}

/** How often connections that have become idle are closed while the server stops. */
const idleSweepMs = 50;

/**
 * Ends the process in order when a signal comes: readiness answers 503, the port closes, requests under way get
 * their answers, kept-alive connections close, then the close hooks run (queue, database) and the process exits
 * with 0. A second signal, or the end of the grace period, ends it at once with 1.
 * An error that nobody caught is logged without its message and ends the process with 1.
 */
export function closeGracefully(server: Server, options: ShutdownOptions): void {
  const { app } = server;
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) {
      app.log.warn({ signal }, 'a second signal: ending at once');
      process.exit(1);
    }
    stopping = true;
    app.log.info({ signal }, 'stopping: finishing the requests under way');
    void stopAndExit(server, options.graceMs ?? 25_000);
  };
  for (const signal of options.signals) process.on(signal, onSignal);
  process.on('uncaughtException', (error) => {
    app.log.fatal({ err: error }, 'an error that nobody caught: ending');
    process.exit(1);
  });
}

/** Closes the server; resolves when the last request is answered and every close hook has run. */
export async function stopServer({ app, lifecycle }: Server): Promise<void> {
  lifecycle.stop();
  // A connection whose answer was already on its way when the stop began would otherwise stay open for its
  // whole keep-alive time and hold the process.
  const sweep = setInterval(() => {
    app.server.closeIdleConnections();
  }, idleSweepMs);
  try {
    await app.close();
  } finally {
    clearInterval(sweep);
  }
}

async function stopAndExit(server: Server, graceMs: number): Promise<void> {
  const { log } = server.app;
  const timer = setTimeout(() => {
    log.error({ graceMs }, 'requests are still under way after the grace period: ending without them');
    process.exit(1);
  }, graceMs);
  try {
    await stopServer(server);
    clearTimeout(timer);
    log.info('stopped');
    process.exit(0);
  } catch (error) {
    log.error({ err: error }, 'stopping failed');
    process.exit(1);
  }
}
