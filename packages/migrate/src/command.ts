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

/** What people need of an error. Causes are named, server details are not: they repeat values of rows. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // An error without a code is one that nobody foresaw: where it came from is all there is to go by.
  const what = codeOf(error) === undefined ? (error.stack ?? error.message) : error.message;
  const cause = error.cause === undefined ? '' : messageOf(error.cause);
  return cause === '' || what.includes(cause) ? what : `${what}\n  caused by: ${cause}`;
}
