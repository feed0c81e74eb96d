import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { openDatabases } from './data/databases.ts';
import { createCustomers, createSupply } from './data/deposits.ts';
import type { Supply } from './data/deposits.ts';
import { describeMachine } from './lib/machine.ts';
import type { Machine } from './lib/machine.ts';
import { readOptions } from './load/options.ts';
import type { Options } from './load/options.ts';
import { showProgress } from './lib/progress.ts';
import { renderFigures, renderReport } from './report/report.ts';
import { measureRound } from './load/round.ts';
import type { Round } from './load/round.ts';
import { summarize } from './report/summary.ts';
import { createTransferSupply } from './data/transfers.ts';

const WALLETS = 10_000;

interface Findings {
  readonly rounds: readonly Round[];
  readonly machine: Machine;
  readonly messageBytes: number;
}

/** How many messages tell the average size. */
const SAMPLE = 1_000;

// What the benchmark has started ends with it, also when it is interrupted; that it does on `exit`.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

try {
  await bench(readOptions());
} catch (error) {
  // An error without a code is one that nobody foresaw: where it came from is all there is to go by.
  const isForeseen = error instanceof Error && 'code' in error;
  process.stderr.write(`${isForeseen ? error.message : inspect(error)}\n`);
  process.exitCode = 1;
}

async function bench(options: Options): Promise<void> {
  const { rounds, machine, messageBytes } = await measure(options);
  const summary = summarize(rounds, options.parts);
  process.stdout.write(`${renderFigures(summary)}\n`);
  if (options.output === null) return;
  const run = {
    date: new Date(),
    command: ['pnpm bench', ...process.argv.slice(2)].join(' '),
    isQuick: options.isQuick,
    pace: options.pace,
    messageBytes,
    wallets: WALLETS,
  };
  await mkdir(options.output, { recursive: true });
  await writeFile(join(options.output, 'results.md'), renderReport(summary, machine, run));
}

async function measure({ rounds: count, parts, pace }: Options): Promise<Findings> {
  using progress = showProgress();
  progress.step('starting PostgreSQL and preparing the databases');
  const customers = createCustomers(WALLETS);
  await using databases = await openDatabases(customers, parts.includes('sms') ? pace.texts : 0);
  const machine = await describeMachine(databases.server);
  progress.step('making up payments and transfers');
  const supply = createSupply(customers, pace.prebuilt);
  const transfers = createTransferSupply(customers, parts.includes('transfers') ? pace.prebuilt : 0);
  const workbench = { databases, customers, supply, transfers, pace };
  const rounds: Round[] = [];
  for (let round = 1; round <= count; round += 1) {
    const say = (what: string) => progress.step(`round ${String(round)} of ${String(count)}: ${what}`);
    rounds.push(await measureRound(workbench, parts, { round, say }));
  }
  return { rounds, machine, messageBytes: averageSize(supply) };
}

function averageSize(supply: Supply): number {
  const sizes = Array.from({ length: SAMPLE }, (_, place) => supply.at(place).callback.body.byteLength);
  return sizes.reduce((sum, size) => sum + size, 0) / SAMPLE;
}
