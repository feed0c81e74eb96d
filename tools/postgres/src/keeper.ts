import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import type { Account } from './account.ts';
import { serverEnvironment } from './env.ts';
import { PostgresError } from './errors.ts';
import { type Lease, leaseSetting } from './lease.ts';

/**
 * The server's parent process and its guard. The guard waits until the pipe of leases has no user left (all have
 * stopped, ended or been killed) and then asks the server for a fast shutdown. The parent reaps the server, so that a
 * crashed one does not look alive, and ends the guard, which would otherwise signal a number that may have become
 * another program's. Descriptor 3 belongs to the server alone, see `watch` below.
 */
const SCRIPT = `
lease=$1
shift
exec 4<"$lease"
"$@" 4<&- &
server=$!
exec 3>&-
{
  while read -r _ <&4; do :; done
  rm -f "$lease"
  kill -INT "$server"
} &
guard=$!
exec 4<&-
wait "$server"
kill "$guard" 2>/dev/null
rm -f "$lease"
`;

export interface Kept {
  /** Is fulfilled when no process of the server is left, however it ended; it keeps no program running. */
  readonly down: Promise<void>;
  /** The same for a caller that waits for it: it keeps the program running. */
  readonly untilDown: () => Promise<void>;
  readonly isDown: () => boolean;
}

interface Command {
  readonly program: string;
  readonly directory: string;
  readonly settings: string[];
  readonly log: number;
  readonly account: Account | undefined;
}

/** Starts the server and its keeper. Neither keeps this process alive, and Ctrl-C on a terminal reaches neither. */
export async function keep(lease: Lease, command: Command): Promise<Kept> {
  const settings = [leaseSetting(lease), ...command.settings].flatMap((setting) => ['-c', setting]);
  const args = [
    '-c',
    SCRIPT,
    'daftari-postgres',
    lease.path,
    command.program,
    '-D',
    command.directory,
    ...settings,
  ];
  const child = spawn('/bin/sh', args, {
    ...command.account,
    cwd: '/',
    detached: true,
    env: serverEnvironment(),
    stdio: ['ignore', command.log, command.log, 'pipe'],
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => {
      reject(new PostgresError('START_FAILED', '/bin/sh could not be run.', { cause }));
    });
  });
  child.unref();
  return watch(child.stdio[3]);
}

/** Every process of the server inherits the other end of this pipe: it ends when the last of them has. */
function watch(pipe: unknown): Kept {
  if (!(pipe instanceof Socket)) throw new TypeError('a pipe of a child process is a socket');
  let ended = false;
  const down = new Promise<void>((resolve) => {
    pipe.once('close', () => {
      ended = true;
      resolve();
    });
  });
  pipe.resume();
  pipe.unref();
  const untilDown = (): Promise<void> => {
    pipe.ref();
    return down;
  };
  return { isDown: () => ended, down, untilDown };
}
