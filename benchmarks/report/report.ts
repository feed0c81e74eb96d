import { renderLookups, renderTransfers } from './ledger-report.ts';
import type { Machine } from '../lib/machine.ts';
import { chart, paragraph, rounded, whole } from '../lib/markdown.ts';
import type { Line } from '../lib/markdown.ts';
import type { Pace, Part } from '../load/options.ts';
import { renderSms } from './sms-report.ts';
import { figuresOf } from './summary.ts';
import type { Summary } from './summary.ts';
import {
  aimTable,
  ceilingTable,
  errorReport,
  latencyTable,
  scopeTable,
  serviceTable,
  throughputTable,
} from './tables.ts';
import type { WayName } from '../load/ways.ts';

/** How the run was made. */
export interface Run {
  readonly date: Date;
  /** What was typed. */
  readonly command: string;
  readonly isQuick: boolean;
  readonly pace: Pace;
  /** The average size of a message, in bytes. */
  readonly messageBytes: number;
  readonly wallets: number;
}

/** The whole of `results.md`. */
export function renderReport(summary: Summary, machine: Machine, run: Run): string {
  const parts = [
    '# Benchmarks: deposits, transfers and look-ups per second',
    ...(run.isQuick ? ['**A quick run: it shows that the benchmark works. Its figures are noise.**'] : []),
    ...(summary.parts.includes('deposits') ? [headline(summary, machine), drawDeposits(summary)] : []),
    renderFigures(summary),
    ...(summary.parts.includes('deposits') ? [renderScope()] : []),
    renderMethod(summary, machine, run),
    renderMachine(machine),
  ];
  return `${parts.join('\n\n')}\n`;
}

/** The tables alone: what a terminal shows. */
export function renderFigures(summary: Summary): string {
  const sections: Readonly<Record<Part, () => string[]>> = {
    deposits: () => [
      `## Deposits per second\n\n${throughputTable(summary)}`,
      `## Latency of deposits: p50 / p99 in milliseconds\n\n${latencyTable(summary)}`,
      `## Aims, in deposits per second\n\n${aimTable(summary)}`,
      `## Raw SQL\n\n${RAW_SQL}\n\n${ceilingTable(summary)}`,
    ],
    transfers: () => renderTransfers(summary),
    lookups: () => renderLookups(summary),
    service: () => [`## The service\n\n${serviceTable(summary)}\n\n${SERVICE}`],
    sms: () => renderSms(summary),
  };
  const failures = `## Failed calls\n\n${errorReport(summary)}`;
  return [...summary.parts.flatMap((part) => sections[part]()), failures].join('\n\n');
}

function drawDeposits({ byCallers }: Summary): string {
  const columns = byCallers.map(({ callers }) => whole(callers));
  const line = (name: string, way: WayName, figure: 'perSecond' | 'p99'): Line => {
    return { name, values: byCallers.map(({ ways }) => ways[way][figure]) };
  };
  return [
    chart('Deposits per second by callers: intake, one call, textbook (top down)', columns, [
      line('intake', 'intake', 'perSecond'),
      line('one call', 'call', 'perSecond'),
      line('textbook', 'textbook', 'perSecond'),
    ]),
    chart('p99 in milliseconds by callers: textbook, one call, intake (top down)', columns, [
      line('textbook', 'textbook', 'p99'),
      line('one call', 'call', 'p99'),
      line('intake', 'intake', 'p99'),
    ]),
  ].join('\n\n');
}

function headline(summary: Summary, machine: Machine): string {
  const row = summary.byCallers.find(({ callers }) => callers === 32);
  const most = figuresOf(summary, 'intake', 2_000);
  if (row === undefined || most === undefined) return '';
  const { textbook, intake } = row.ways;
  return paragraph(
    `With 32 callers the intake records **${rounded(intake.perSecond)} deposits a second**, each acknowledged after its`,
    `commit is on disk; the textbook way with Prisma records ${rounded(textbook.perSecond)}`,
    `(${rounded(row.ratio.median)} times fewer) and does less. With 2,000 callers the intake records`,
    `**${rounded(most.perSecond)}**. All on ${whole(machine.cores)} cores, which callers and PostgreSQL share.`,
  );
}

const RAW_SQL = paragraph(
  'One connection, prepared statements, every parameter built beforehand, nothing else to do: what the database',
  'itself makes of the same work. A way that has several connections can go beyond its line, because their commits',
  'share the writes to the disk.',
);

const SERVICE = paragraph(
  'A process of its own with its default settings, on the same machine as the database and its 2,000 callers, each of',
  'whom keeps one connection. The callers take processor time from it that callers elsewhere would not.',
);

function renderScope(): string {
  const textbook = paragraph(
    '**Textbook**: Prisma’s interactive `$transaction`: find the receipt, create the log, create the transaction, add',
    'to the wallet’s balance. Our database refuses that, so it runs on a copy without the guards and without the two',
    'unique indexes of postings, which makes it faster than it would be with them. `maxWait` and `timeout` are raised',
    'to two minutes, so that 2,000 callers wait for their turn instead of failing.',
  );
  const call = paragraph(
    '**One call**: `recordDeposit`, a round trip and a commit for each deposit. All of them lock the one float wallet,',
    'one after the other.',
  );
  const intake = paragraph(
    '**Intake**: `createDepositIntake` sends in one round trip whatever has arrived during the last one. A second',
    'round trip is under way at the same time only when it is full (1,000 deposits).',
  );
  const pools = 'All three have a pool of ten connections.';
  return ['## What each way does', scopeTable(), textbook, call, intake, pools].join('\n\n');
}

function renderMethod(summary: Summary, machine: Machine, run: Run): string {
  const { window, longWindow, serviceWindow } = run.pace;
  const seconds = (ms: number) => `${rounded(ms / 1_000)} s`;
  const method = paragraph(
    `\`${run.command}\`, ${run.date.toISOString().slice(0, 10)}. Medians over rounds (${whole(summary.rounds)} of them);`,
    'in each one everything is measured once, what is compared in turn and in changing order. Every measurement has a',
    `fresh database with ${whole(run.wallets)} wallets (for transfers with money in all of them), a warm-up until`,
    `every caller has been answered once, and a window of ${seconds(window)} (2,000 callers: ${seconds(longWindow)}, the services: ${seconds(serviceWindow)}) in`,
    'which answers are counted. A caller calls again as soon as it has its answer. What is compared gets the same',
    'requests in the same order: random wallets and amounts; payments have random receipts and',
    `messages of ${whole(run.messageBytes)} bytes with the payer’s number masked.`,
  );
  const limits = paragraph(
    'When the last caller has its answer the database is compared with what was acknowledged: a run in which they',
    'differ ends with an error and without results. The windows are short and begin after a checkpoint, so none falls',
    'into them; a database that runs for hours pays for one every few minutes.',
  );
  const disk = paragraph(
    '**The database lay in memory and not on a disk, so commits cost nothing: read the figures accordingly.**',
  );
  return ['## How it was measured', method, limits, ...(machine.isDisk ? [] : [disk])].join('\n\n');
}

/** What the figures come from. */
export function renderMachine(machine: Machine): string {
  const version = /^PostgreSQL \S+/.exec(machine.postgres)?.[0] ?? machine.postgres;
  const compiler = /compiled by ([^,]+)/.exec(machine.postgres)?.[1] ?? 'an unknown compiler';
  const level = machine.postgresFlags.match(/-O\S*/g)?.at(-1) ?? 'no -O flag';
  const forSize = level === '-Os' ? ', that is for size and not for speed' : '';
  return `## The machine

- ${machine.processor}, ${whole(machine.cores)} cores, ${rounded(machine.memoryGiB)} GiB of memory; load average before the run: ${rounded(machine.loadBefore)}
- ${machine.system}; Node ${machine.node}
- ${version}, the binaries from npm, built by ${compiler} with \`${level}\`${forSize}
- \`${machine.postgresSettings}\`, as PostgreSQL comes
- 8 KiB written through to the disk (fdatasync): p50 ${rounded(machine.syncP50)} ms, p99 ${rounded(machine.syncP99)} ms`;
}
