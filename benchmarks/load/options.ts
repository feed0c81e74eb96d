import { join, resolve } from 'node:path';
import { readCommandLine, refuse } from '@repo/command/command-line';

const USAGE = `Usage: bench [--rounds N] [--only PART] [--quick] [--output FOLDER]

  --rounds N       how often everything is measured (default: 3)
  --only PART      measures deposits, transfers, lookups, service or sms alone; repeat the option for
                   several parts; their figures are printed only
  --quick          one round of short windows, to see that the benchmark works; its figures mean nothing and
                   are printed only
  --output FOLDER  where results.md goes (default: benchmarks/results)

Exit codes: 0 measured, 1 it failed, 2 the command line cannot be used.`;

/** What can be measured by itself. */
const PARTS = ['deposits', 'transfers', 'lookups', 'service', 'sms'] as const;

export type Part = (typeof PARTS)[number];

export interface Options {
  readonly rounds: number;
  /** What is measured, in the order of `PARTS`. */
  readonly parts: readonly Part[];
  /** A smoke test: are the parts in order? Its figures are noise. */
  readonly isQuick: boolean;
  /** Where the results are written; null to print them only. */
  readonly output: string | null;
  readonly pace: Pace;
}

/** How long things take, in milliseconds. */
export interface Pace {
  /** The least time before a window opens; connections, plans and machine code are made in it. */
  readonly warmUp: number;
  /** A window opens when every caller has been answered once, and at the latest after this time. */
  readonly warmUpAtMost: number;
  readonly window: number;
  /** The window of 2,000 callers. */
  readonly longWindow: number;
  /** The window of a service, after a warm-up half as long; and the rest before its memory is read again. */
  readonly serviceWindow: number;
  readonly idle: number;
  /** Deposits, and transfers of each route, that are made up before anything is measured. */
  readonly prebuilt: number;
  /** Messages that wait in the outbox when its senders begin: more than they can send by the end of the window. */
  readonly texts: number;
}

const FULL: Pace = {
  warmUp: 700,
  warmUpAtMost: 30_000,
  window: 1_500,
  longWindow: 3_000,
  serviceWindow: 6_000,
  idle: 5_000,
  prebuilt: 150_000,
  texts: 300_000,
};

const QUICK: Pace = {
  warmUp: 150,
  warmUpAtMost: 1_000,
  window: 300,
  longWindow: 500,
  serviceWindow: 1_000,
  idle: 200,
  prebuilt: 20_000,
  texts: 50_000,
};

/** Reads the command line, or ends the process with what is wrong with it. */
export function readOptions(): Options {
  const { values } = readCommandLine(USAGE, {
    options: {
      rounds: { type: 'string' },
      only: { type: 'string', multiple: true },
      quick: { type: 'boolean' },
      output: { type: 'string' },
    },
  });
  const isQuick = values.quick ?? false;
  const rounds = Number(values.rounds ?? (isQuick ? '1' : '3'));
  if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= 100)) {
    refuse('--rounds takes a whole number from 1 to 100.', USAGE);
  }
  const wanted = values.only === undefined ? PARTS : partsOf(values.only);
  // The results of a part shall not take the place of those of the whole.
  const folder = isQuick || wanted.length < PARTS.length ? null : join(import.meta.dirname, '..', 'results');
  return {
    rounds,
    parts: wanted,
    isQuick,
    output: values.output === undefined ? folder : resolve(values.output),
    pace: isQuick ? QUICK : FULL,
  };
}

function partsOf(names: readonly string[]): Part[] {
  const unknown = names.find((name) => !PARTS.some((part) => part === name));
  if (unknown !== undefined) {
    refuse(`--only takes ${PARTS.join(', ')}, and not ${unknown}.`, USAGE);
  }
  return PARTS.filter((part) => names.includes(part));
}
