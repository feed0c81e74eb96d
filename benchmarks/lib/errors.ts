/** Every way in which the benchmark fails on purpose. The code is for programs, the message for people. */
const CATALOGUE = {
  citus_missing: 'Citus is not installed',
  counts_wrong: 'The database does not hold what was acknowledged, so no figure of this run can be believed',
  not_credited: 'A deposit was not credited to its customer',
  not_transferred: 'A transfer was not made',
  not_found: 'A wallet was not found',
  not_empty: 'Deposits are loaded into an empty database only',
  service_not_ready: 'A service did not become ready',
  queue_empty: 'The senders had nothing left to send',
  queue_stalled: 'The senders have stopped sending',
  ratio_wrong: 'A ratio that must hold on any machine does not',
  plan_wrong: 'A claim must read what it claims and nothing else',
} as const;

export class BenchmarkError extends Error {
  override readonly name = 'BenchmarkError';
  readonly code: keyof typeof CATALOGUE;

  /** `detail` says what happened in particular, and what to do about it. */
  constructor(code: keyof typeof CATALOGUE, detail: string) {
    super(`${CATALOGUE[code]}: ${detail}`);
    this.code = code;
  }
}

/** What to count an error under: its code, or else its name. */
export function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
