import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openDatabases } from './data/databases.ts';
import { createCustomers, createPayments } from './data/payments.ts';
import type { Payments } from './data/payments.ts';
import { createTransfers } from './data/transfers.ts';
import { runCommand } from './lib/errors.ts';
import { describeMachine } from './lib/machine.ts';
import type { Machine } from './lib/machine.ts';
import { fill } from './lib/markdown.ts';
import { readOptions } from './load/options.ts';
import type { Options } from './load/options.ts';
import { showProgress } from './lib/progress.ts';
import { measureRound } from './load/round.ts';
import type { Round } from './load/round.ts';
import { renderTables } from './report/tables.ts';
import { renderWords } from './report/words.ts';

const WALLETS = 10_000;

interface Findings {
  readonly rounds: readonly Round[];
  readonly machine: Machine;
  readonly messageBytes: number;
}

/** How many messages tell the average size. */
const SAMPLE = 1_000;

await runCommand(() => bench(readOptions()));

async function bench(options: Options): Promise<void> {
  const { rounds, machine, messageBytes } = await measure(options);
  const tables = renderTables(rounds, options.parts);
  const printed = Object.entries(tables).flatMap(([name, text]) => (text ? [`## ${name}\n\n${text}`] : []));
  process.stdout.write(`${printed.join('\n\n')}\n`);
  if (options.output === null) return;
  const template = await readFile(join(import.meta.dirname, 'report', 'results.template.md'), 'utf8');
  const command = ['pnpm bench', ...process.argv.slice(2)].join(' ');
  const run = { options, machine, command, messageBytes, wallets: WALLETS };
  await mkdir(options.output, { recursive: true });
  await writeFile(
    join(options.output, 'results.md'),
    fill(template, { ...tables, ...renderWords(rounds, run) }),
  );
}

async function measure({ rounds: count, parts, pace }: Options): Promise<Findings> {
  using progress = showProgress();
  progress.step('starting PostgreSQL and preparing the databases');
  const customers = createCustomers(WALLETS);
  await using databases = await openDatabases(customers, parts.includes('sms') ? pace.texts : 0);
  const machine = await describeMachine(databases.server);
  progress.step('making up payments and transfers');
  const payments = createPayments(customers, pace.prebuilt);
  const transfers = createTransfers(customers, parts.includes('transfers') ? pace.prebuilt : 0);
  const workbench = { databases, customers, payments, transfers, pace };
  const rounds: Round[] = [];
  for (let round = 1; round <= count; round += 1) {
    const say = (what: string) => progress.step(`round ${String(round)} of ${String(count)}: ${what}`);
    rounds.push(await measureRound(workbench, parts, { round, say }));
  }
  return { rounds, machine, messageBytes: averageSize(payments) };
}

function averageSize(payments: Payments): number {
  const sizes = Array.from({ length: SAMPLE }, (_, place) => payments.at(place).callback.body.byteLength);
  return sizes.reduce((sum, size) => sum + size, 0) / SAMPLE;
}
