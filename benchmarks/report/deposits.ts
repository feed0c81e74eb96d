import { cpus } from 'node:os';
import { chart, rounded, whole } from '../lib/markdown.ts';
import { median } from '../lib/percentiles.ts';
import type { WayName } from '../load/contest.ts';
import type { Round } from '../load/round.ts';
import { rowsOf } from './figures.ts';

/** What to know in three lines. */
export function headline(rounds: readonly Round[]): string {
  const rows = rowsOf(rounds, 'deposits');
  const [few, many] = [32, 2_000].map((count) => rows.find(({ callers }) => callers === count));
  if (few === undefined || many === undefined) return '';
  const rate = (row: typeof few, way: 'lanes' | 'textbook') => rounded(row.figures(way).perSecond);
  return `With 32 callers the intake records **${rate(few, 'lanes')} deposits a second**, each acknowledged after its
commit is on disk; the textbook way with Prisma records ${rate(few, 'textbook')} (${rounded(median(few.ratios('lanes', 'textbook')))} times fewer) and does less.
With 2,000 callers the intake records **${rate(many, 'lanes')}**. All on ${whole(cpus().length)} cores, which callers and PostgreSQL share.`;
}

/** Deposits per second and p99 as two charts. */
export function drawDeposits(rounds: readonly Round[]): string {
  const rows = rowsOf(rounds, 'deposits');
  const columns = rows.map(({ callers }) => whole(callers));
  const rate = (way: WayName) => rows.map(({ figures }) => figures(way).perSecond);
  const p99 = (way: WayName) => rows.map(({ figures }) => figures(way).p99);
  return [
    chart('Deposits per second by callers: all lanes, one lane, one call, textbook (top down)', columns, [
      ['all lanes', rate('lanes')],
      ['one lane', rate('lane')],
      ['one call', rate('call')],
      ['textbook', rate('textbook')],
    ]),
    chart('p99 in milliseconds by callers: textbook, one call, one lane, all lanes (top down)', columns, [
      ['textbook', p99('textbook')],
      ['one call', p99('call')],
      ['one lane', p99('lane')],
      ['all lanes', p99('lanes')],
    ]),
  ].join('\n\n');
}
