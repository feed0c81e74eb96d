import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { BenchmarkError } from './errors.ts';

export const GROWTH_USAGE = `pnpm bench:sms-growth [--messages N] [--old-rows N] [--output FOLDER]

  --messages N     how many messages are sent, in ten steps; 1,000,000 unless said otherwise
  --old-rows N     how many sent messages are in the table before; 5,000,000 unless said otherwise
  --output FOLDER  where sms-growth.md and sms-growth.svg go; this folder unless said otherwise

It needs about 1.5 KB of disk for each of these rows, in the folder for temporary files.`;

export interface GrowthOptions {
  readonly messages: number;
  readonly oldRows: number;
  readonly output: string;
  readonly wantsHelp: boolean;
}

/** @throws BenchmarkError `options_invalid` */
export function parseGrowthOptions(args: readonly string[]): GrowthOptions {
  const values = parse(args);
  return {
    messages: countOf('--messages', values.messages ?? '1000000', 10),
    oldRows: countOf('--old-rows', values['old-rows'] ?? '5000000', 0),
    output: resolve(values.output ?? import.meta.dirname),
    wantsHelp: values.help ?? false,
  };
}

function countOf(option: string, text: string, least: number): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= least && count <= 100_000_000) return count;
  throw new BenchmarkError(
    'options_invalid',
    `${option} takes a whole number from ${String(least)} to 100000000.`,
  );
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        messages: { type: 'string' },
        'old-rows': { type: 'string' },
        output: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BenchmarkError('options_invalid', `${reason}\n\n${GROWTH_USAGE}`, { cause });
  }
}
