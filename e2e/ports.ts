import { once } from 'node:events';
import { createServer } from 'node:net';
import { CommandError } from './errors.ts';

/** A port that is about to be used, and the setting that it comes from. */
export interface WantedPort {
  readonly setting: string;
  readonly port: number;
  /** Who will listen there. */
  readonly purpose: string;
}

/**
 * Looks whether all of them can be listened on, before anything is started.
 *
 * @throws {CommandError} port_taken, which names each port that cannot be had, its setting and what to do
 */
export async function assertPortsFree(wanted: readonly WantedPort[], host: string): Promise<void> {
  const lines: string[] = [];
  const settings = new Map<number, string>();
  for (const { setting, port, purpose } of wanted) {
    const other = settings.get(port);
    const reason = other === undefined ? await whyTaken(port, host) : `${other} has the same`;
    settings.set(port, other ?? setting);
    if (reason !== null) lines.push(`  ${setting}=${String(port)} for the ${purpose}: ${reason}`);
  }
  if (lines.length === 0) return;
  const advice = 'Stop what listens there (dev in another terminal?), or set other ports, here or in .env.';
  throw new CommandError('port_taken', `\n${lines.join('\n')}\n${advice}`);
}

async function whyTaken(port: number, host: string): Promise<string | null> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
    await once(server.close(), 'close');
    return null;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRINUSE') return 'another program listens there already';
    if (code === 'EACCES') return 'this account may not listen there';
    if (code === 'EADDRNOTAVAIL') return `HOST=${host} is no address of this machine`;
    throw error;
  }
}
