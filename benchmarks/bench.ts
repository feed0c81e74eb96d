import { join, resolve } from 'node:path';
import { readCommandLine, readCount, refuse } from '@repo/command/command-line';
import { runCommand } from '@repo/command/run-command';
import { openDatabases } from './data/databases.ts';
import { createCustomers, createPayments } from './data/payments.ts';
import { createTransfers } from './data/transfers.ts';
import { describeMachine } from './lib/machine.ts';
import { rounded, whole } from './lib/markdown.ts';
import type { Values } from './lib/markdown.ts';
import { showProgress } from './lib/progress.ts';
import { RESULTS, typedCommand, writeResults } from './lib/results.ts';
import { PARTS, measureRound } from './load/round.ts';
import type { Part, Round } from './load/round.ts';
import type { Workbench } from './load/workbench.ts';
import { FULL_PACE, QUICK_PACE, SMOKE_PACE } from './load/workbench.ts';
import { drawDeposits, headline } from './report/deposits.ts';
import { renderTables } from './report/tables.ts';
import { concludeSmoke, measureSmoke } from './smoke/smoke.ts';

const USAGE = `Usage: bench [--rounds N] [--only PART] [--quick] [--output FOLDER]
       bench --smoke [--rounds N]

  --rounds N       how often everything is measured (default: 3)
  --only PART      measures deposits, transfers, lookups, service or sms alone; repeat the option for
                   several parts; their figures are printed only
  --quick          one round of short windows, to see that the benchmark works; its figures mean nothing and
                   are printed only
  --smoke          every way to record deposits in short windows, in less than a minute on a quiet machine: fails
                   when a ratio that holds on any machine does not, or when the books do not balance
  --output FOLDER  where results.md goes (default: benchmarks/results)

Exit codes: 0 measured, 1 it failed, 2 the command line cannot be used.`;

const WALLETS = 10_000;
const SMOKE_WALLETS = 1_000;

/** How many messages tell the average size. */
const SAMPLE = 1_000;

interface Findings<Measured> {
  readonly rounds: readonly Measured[];
  readonly machine: string;
  /** The average size of a message. */
  readonly messageBytes: number;
}

const { values } = readCommandLine(USAGE, {
  options: {
    rounds: { type: 'string' },
    only: { type: 'string', multiple: true, default: [...PARTS] },
    quick: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    output: { type: 'string' },
  },
});
const isQuick = values.quick;
const roundText = values.rounds ?? (isQuick ? '1' : '3');
const roundCount = readCount(roundText, { option: '--rounds', least: 1, most: 100, usage: USAGE });
const parts = partsOf(values.only);
const pace = values.smoke ? SMOKE_PACE : isQuick ? QUICK_PACE : FULL_PACE;
const wallets = values.smoke ? SMOKE_WALLETS : WALLETS;

await runCommand(async () => {
  if (values.smoke) {
    const { rounds } = await measure(measureSmoke);
    process.stdout.write(`${concludeSmoke(rounds)}\n`);
    return 0;
  }
  const findings = await measure((bench) => measureRound(bench, parts));
  const tables = renderTables(findings.rounds, parts);
  const printed = Object.entries(tables).flatMap(([name, text]) => (text ? [`## ${name}\n\n${text}`] : []));
  process.stdout.write(`${printed.join('\n\n')}\n`);
  // The results of a part shall not take the place of those of the whole.
  const isWhole = !isQuick && parts.length === PARTS.length;
  const output = values.output ?? (isWhole ? RESULTS : undefined);
  if (output === undefined) return 0;
  const template = join(import.meta.dirname, 'report', 'results.template.md');
  await writeResults(template, resolve(output), { ...tables, ...renderWords(findings) });
  return 0;
});

async function measure<Measured>(
  measureOnce: (bench: Workbench) => Promise<Measured>,
): Promise<Findings<Measured>> {
  using progress = showProgress();
  progress.step('starting PostgreSQL and preparing the databases');
  const customers = createCustomers(wallets);
  await using databases = await openDatabases(customers, pace.texts);
  const machine = await describeMachine(databases.server);
  progress.step('making up payments and transfers');
  const payments = createPayments(customers, pace.prebuilt);
  const transfers = createTransfers(
    customers,
    parts.includes('transfers') && !values.smoke ? pace.prebuilt : 0,
  );
  const rounds: Measured[] = [];
  for (let round = 1; round <= roundCount; round += 1) {
    const say = (what: string) => progress.step(`round ${String(round)} of ${String(roundCount)}: ${what}`);
    rounds.push(await measureOnce({ databases, customers, payments, transfers, pace, round, say }));
  }
  const sizes = Array.from({ length: SAMPLE }, (_, place) => payments.at(place).callback.body.byteLength);
  return { rounds, machine, messageBytes: sizes.reduce((sum, size) => sum + size, 0) / SAMPLE };
}

/** What the template of `results.md` asks for besides the tables. */
function renderWords({ rounds, machine, messageBytes }: Findings<Round>): Values {
  const seconds = (ms: number) => `${rounded(ms / 1_000)} s`;
  const hasDeposits = parts.includes('deposits');
  return {
    'quick run': isQuick ? '**A quick run: it shows that the benchmark works. Its figures are noise.**' : '',
    headline: hasDeposits ? headline(rounds) : '',
    charts: hasDeposits ? drawDeposits(rounds) : '',
    connections: hasDeposits ? 'ten' : undefined,
    command: typedCommand('bench'),
    date: new Date().toISOString().slice(0, 10),
    rounds: whole(rounds.length),
    wallets: whole(WALLETS),
    window: seconds(pace.window),
    'long window': seconds(pace.longWindow),
    'service window': seconds(pace.serviceWindow),
    'message bytes': whole(messageBytes),
    machine,
  };
}

function partsOf(names: readonly string[]): Part[] {
  const unknown = names.find((name) => !PARTS.some((part) => part === name));
  if (unknown !== undefined) refuse(`--only takes ${PARTS.join(', ')}, and not ${unknown}.`, USAGE);
  return PARTS.filter((part) => names.includes(part));
}
