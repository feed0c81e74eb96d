import { EXIT_CONFIG } from '../env.ts';
import type { Server } from '../server.ts';
import { closeGracefully } from './shutdown.ts';

export interface ServiceRun {
  readonly host: string;
  readonly port: number;
  /** The variable that sets the port, for the advice when it is taken. */
  readonly portVariable: string;
  /** Ends what the requests use, after the last answer: first the queues, so that all is committed, then the database. */
  readonly close: () => Promise<void>;
}

/**
 * Connections that the kernel may have accepted before this process takes them; it allows `net.core.somaxconn` at most.
 * Node asks for 511: when 2,000 senders connected at once, hundreds of their connections were reset.
 */
const BACKLOG = 65_535;

/**
 * Runs a service until a signal ends it in order (see `closeGracefully`); resolves when it listens and its readiness was
 * asked once. A process that cannot listen ends with 1 and says what to set; one whose database would lose what it
 * acknowledges ends with 78.
 */
export async function runService(
  server: Server,
  { host, port, portVariable, close }: ServiceRun,
): Promise<void> {
  const { app, checkReadiness } = server;
  app.addHook('onClose', close);
  closeGracefully(server, { signals: ['SIGTERM', 'SIGINT'] });
  try {
    await app.listen({ host, port, backlog: BACKLOG });
  } catch (error) {
    const advice = `set HOST and ${portVariable} to an address and port that are free`;
    app.log.fatal({ err: error }, `cannot listen; ${advice}`);
    process.exit(1);
  }
  // A database that comes later is no reason to end. One that forgets what it acknowledges must be set right by people.
  await checkReadiness().catch((error: unknown) => {
    if (isNotDurable(error)) {
      app.log.fatal({ err: error }, 'the database would lose payments that were acknowledged: ending');
      process.exit(EXIT_CONFIG);
    }
    app.log.warn({ err: error }, 'the database cannot be used yet; requests are answered 503 until it can');
  });
}

function isNotDurable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'database_not_durable';
}
