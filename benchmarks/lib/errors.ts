import { inspect } from 'node:util';

/** Every way in which the benchmark fails on purpose. The code is for programs, the message for people. */
const CATALOGUE = {
  command_failed: 'A command that prepares the database failed',
  counts_wrong: 'The database does not hold what was acknowledged, so no figure of this run can be believed',
  not_credited: 'A deposit was not credited to its customer',
  not_transferred: 'A transfer was not made',
  not_found: 'A wallet was not found',
  service_not_ready: 'A service did not become ready',
  queue_empty: 'The senders had nothing left to send',
  queue_stalled: 'The senders have stopped sending',
  plan_wrong: 'A claim must read what it claims and nothing else',
} as const;

export type BenchmarkErrorCode = keyof typeof CATALOGUE;

export class BenchmarkError extends Error {
  override readonly name = 'BenchmarkError';
  readonly code: BenchmarkErrorCode;

  /** `detail` says what happened in particular, and what to do about it. */
  constructor(code: BenchmarkErrorCode, detail: string, options?: ErrorOptions) {
    super(`${CATALOGUE[code]}: ${detail}`, options);
    this.code = code;
  }
}

/** What to count an error under: its code, or else its name. */
export function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

/** Runs a command to its end, and says why it failed if it did. What it has started ends with it, on `exit`. */
export async function runCommand(command: () => Promise<void>): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  try {
    await command();
  } catch (error) {
    // An error without a code is one that nobody foresaw: where it came from is all there is to go by.
    const isForeseen = error instanceof Error && 'code' in error;
    process.stderr.write(`${isForeseen ? error.message : inspect(error)}\n`);
    process.exitCode = 1;
  }
}
