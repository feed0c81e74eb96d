import { join, resolve } from 'node:path';
import { readCommandLine, refuse } from '@repo/command/command-line';

const USAGE = `Usage: bench:sms-growth [--messages N] [--old-rows N] [--output FOLDER]

  --messages N     how many messages are sent, in ten steps (default: 1,000,000)
  --old-rows N     how many sent messages are in the table before (default: 5,000,000)
  --output FOLDER  where sms-growth.md goes (default: benchmarks/results)

It needs about 1.5 KB of disk for each of these rows, in the folder for temporary files.

Exit codes: 0 measured, 1 it failed, 2 the command line cannot be used.`;

export interface GrowthOptions {
  readonly messages: number;
  readonly oldRows: number;
  readonly output: string;
}

/** Reads the command line, or ends the process with what is wrong with it. */
export function readGrowthOptions(): GrowthOptions {
  const { values } = readCommandLine(USAGE, {
    options: { messages: { type: 'string' }, 'old-rows': { type: 'string' }, output: { type: 'string' } },
  });
  return {
    messages: countOf('--messages', values.messages ?? '1000000', 10),
    oldRows: countOf('--old-rows', values['old-rows'] ?? '5000000', 0),
    output: resolve(values.output ?? join(import.meta.dirname, '..', 'results')),
  };
}

function countOf(option: string, text: string, least: number): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= least && count <= 100_000_000) return count;
  return refuse(`${option} takes a whole number from ${String(least)} to 100000000.`, USAGE);
}
