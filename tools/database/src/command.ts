import { refuse } from '@repo/command/command-line';
import { codeOf, messageOf } from './errors.ts';

/**
 * Runs a command and sets the process's exit code: what `work` answers, or `failure` after an error, whose message goes
 * to standard error. Default: 1.
 */
export async function runCommand(work: () => Promise<number>, failure = 1): Promise<void> {
  try {
    process.exitCode = await work();
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    process.exitCode = failure;
  }
}

/** Prints one line. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The option `--wait <seconds>` in milliseconds; ends the process with the usage when it is no number. */
export function waitOption(seconds: string, usage: string): number {
  if (/^[0-9]{1,6}$/.test(seconds)) return Number(seconds) * 1000;
  return refuse('--wait is a whole number of seconds, at most 999999.', usage);
}

/** Says on standard error, also in a pipe, for whom this command waits. */
export function sayWaiting(holder: string): void {
  process.stderr.write(`Waiting for another deploy or rollback: ${holder}\n`);
}

/** What people need of an error. Causes are named, server details are not: they repeat values of rows. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // An error without a code is one that nobody foresaw: where it came from is all there is to go by.
  const what = codeOf(error) === undefined ? (error.stack ?? error.message) : error.message;
  const cause = error.cause === undefined ? '' : messageOf(error.cause);
  return cause === '' || what.includes(cause) ? what : `${what}\n  caused by: ${cause}`;
}
