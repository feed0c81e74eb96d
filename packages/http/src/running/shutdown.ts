import type { Server } from '../server.ts';

export interface ShutdownOptions {
  /** The signals that ask the process to end. */
  readonly signals: readonly NodeJS.Signals[];
  /** The longest wait for requests that are under way. Default: 25 seconds, less than orchestrators allow. */
  readonly graceMs?: number;
}

/** How often connections without a request are closed while the server stops. */
const IDLE_SWEEP_MS = 50;

/** Time for the close hooks after the grace period; both together are less than the 30 seconds of orchestrators. */
const HOOKS_MS = 3_000;

/** What holds the event loop after the close hooks is not waited for any longer. */
const LEAVE_MS = 1_000;

/**
 * Ends the process in order when a signal comes: readiness answers 503, the port closes, requests under way get
 * their answers, connections without a request close, then the close hooks run (queue, database) and the process
 * exits with 0. At the end of the grace period the connections that are left are cut, the close hooks run, and it
 * exits with 1. A second signal ends it at once with 1.
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
export async function stopServer({ app, connections, lifecycle }: Server): Promise<void> {
  lifecycle.stop();
  await connections.readAll();
  // A silent connection, or one whose answer was already on its way when the stop began, would otherwise hold the
  // process. The first sweep comes a moment after the signal: a request that had already arrived is read by then.
  const sweep = setInterval(() => {
    connections.closeIdle();
  }, IDLE_SWEEP_MS);
  try {
    await app.close();
  } finally {
    clearInterval(sweep);
  }
}

async function stopAndExit(server: Server, graceMs: number): Promise<void> {
  const { log } = server.app;
  let exitCode = 0;
  const timer = setTimeout(() => {
    exitCode = 1;
    log.error(
      { graceMs },
      'the stop is not done after the grace period: cutting the connections that are left',
    );
    cutOff(server);
  }, graceMs);
  try {
    await stopServer(server);
    clearTimeout(timer);
    log.info('stopped');
    leave(exitCode);
  } catch (error) {
    log.error({ err: error }, 'stopping failed');
    process.exit(1);
  }
}

/**
 * Leaves the end to the event loop, and forces it where something holds that: process.exit() may wait forever, for it joins
 * Node's compiling threads, of which one may wait for this thread (https://github.com/nodejs/node/issues/54918).
 */
function leave(exitCode: number): void {
  process.exitCode = exitCode;
  setTimeout(() => process.exit(), LEAVE_MS).unref();
}

/** Frees a stop from the connections that it waits for, and ends the process if its close hooks do not end then. */
function cutOff({ app }: Server): void {
  app.server.closeAllConnections();
  setTimeout(() => {
    app.log.error({ hooksMs: HOOKS_MS }, 'the close hooks have not ended: ending without them');
    process.exit(1);
  }, HOOKS_MS);
}
