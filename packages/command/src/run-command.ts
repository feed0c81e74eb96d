import { inspect } from 'node:util';

/** Runs a command and sets the exit code: what `work` answers, or 1 after an error, which goes to standard error. */
export async function runCommand(work: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await work();
  } catch (error) {
    // An error without a code is one that nobody foresaw: where it came from is all there is to go by.
    const isForeseen = error instanceof Error && 'code' in error;
    process.stderr.write(`${isForeseen ? error.message : inspect(error)}\n`);
    process.exitCode = 1;
  }
}
