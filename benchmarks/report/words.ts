import type { Machine } from '../lib/machine.ts';
import { rounded, whole } from '../lib/markdown.ts';
import type { Values } from '../lib/markdown.ts';
import { median } from '../lib/percentiles.ts';
import type { Options } from '../load/options.ts';
import type { Round } from '../load/round.ts';
import { rowsOf } from './figures.ts';
import { drawDeposits } from './tables.ts';

/** How the run was made. */
export interface Run {
  readonly options: Options;
  readonly machine: Machine;
  /** What was typed. */
  readonly command: string;
  /** The average size of a message, in bytes. */
  readonly messageBytes: number;
  readonly wallets: number;
}

/** What the template of `results.md` asks for besides the tables. */
export function renderWords(rounds: readonly Round[], run: Run): Values {
  const { options, machine, command } = run;
  const { window, longWindow, serviceWindow } = options.pace;
  const seconds = (ms: number) => `${rounded(ms / 1_000)} s`;
  const hasDeposits = options.parts.includes('deposits');
  return {
    'quick run': options.isQuick
      ? '**A quick run: it shows that the benchmark works. Its figures are noise.**'
      : '',
    headline: hasDeposits ? headline(rounds, machine) : '',
    charts: hasDeposits ? drawDeposits(rounds) : '',
    connections: hasDeposits ? 'ten' : undefined,
    command,
    date: new Date().toISOString().slice(0, 10),
    rounds: whole(rounds.length),
    wallets: whole(run.wallets),
    window: seconds(window),
    'long window': seconds(longWindow),
    'service window': seconds(serviceWindow),
    'message bytes': whole(run.messageBytes),
    memory: machine.isDisk
      ? ''
      : '**The database lay in memory and not on a disk, so commits cost nothing: read the figures accordingly.**',
    machine: machine.facts,
  };
}

function headline(rounds: readonly Round[], { cores }: Machine): string {
  const rows = rowsOf(rounds, 'deposits');
  const [few, many] = [32, 2_000].map((count) => rows.find(({ callers }) => callers === count));
  if (few === undefined || many === undefined) return '';
  const rate = (row: typeof few, way: 'intake' | 'textbook') => rounded(row.figures(way).perSecond);
  return `With 32 callers the intake records **${rate(few, 'intake')} deposits a second**, each acknowledged after its
commit is on disk; the textbook way with Prisma records ${rate(few, 'textbook')} (${rounded(median(few.ratios('intake', 'textbook')))} times fewer) and does less.
With 2,000 callers the intake records **${rate(many, 'intake')}**. All on ${whole(cores)} cores, which callers and PostgreSQL share.`;
}
