import { mkdir, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { readCommandLine, readCount } from '@repo/command/command-line';
import { runCommand } from '@repo/command/run-command';
import { startServer } from '@repo/postgres/server';
import { createEndlessPayments } from './data/endless-payments.ts';
import { createCustomers } from './data/payments.ts';
import { MOST } from './data/preload.sql.ts';
import { openGrownDatabases } from './growth/databases.ts';
import type { GrownDatabase } from './growth/databases.ts';
import { measureRate } from './growth/rates.ts';
import type { Lanes, Rate } from './growth/rates.ts';
import { auditGrown, measureReads } from './growth/reads.ts';
import { drawGrowth, growthValues } from './growth/report.ts';
import type { Grown } from './growth/report.ts';
import { describeMachine } from './lib/machine.ts';
import { rounded, whole } from './lib/markdown.ts';
import { showProgress } from './lib/progress.ts';
import { RESULTS, typedCommand, writeResults } from './lib/results.ts';
import { readSizes } from './lib/server-state.ts';
import { ADVISED_SETTINGS, settingsText } from './lib/settings.ts';
import { turned } from './load/contest.ts';

const USAGE = `Usage: bench:growth [--deposits N]... [--rounds N] [--seconds N] [--output FOLDER]

  --deposits N     how many deposits a database holds before it is measured; repeat the option for several
                   (default: 10,000 and 1,000,000)
  --rounds N       how often everything is measured; figures are medians (default: 3)
  --seconds N      how long answers are counted (default: 4)
  --output FOLDER  where growth.md and growth.svg go (default: benchmarks/results; without a database of
                   1,000,000 deposits they are printed only)

It needs about 2 KB of disk for each deposit and 16 GB for the log, in the folder for temporary files.

Exit codes: 0 measured, 1 it failed, 2 the command line cannot be used.`;

const WALLETS = 10_000;
const CALLERS = 2_000;

/** Results that count have a database at least as large. */
const LEAST_DEPOSITS = 1_000_000;

/** Databases as small as this are new for every measurement: it would change them too much. */
const COPIED = 100_000;

const { values } = readCommandLine(USAGE, {
  options: {
    deposits: { type: 'string', multiple: true, default: ['10000', '1000000'] },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    output: { type: 'string' },
  },
});
const count = (text: string, option: string, range: { readonly least: number; readonly most: number }) =>
  readCount(text, { option, ...range, usage: USAGE });
const sizes = values.deposits
  .map((text) => count(text, '--deposits', { least: 1_000, most: MOST }))
  .toSorted((one, other) => one - other);
const rounds = count(values.rounds, '--rounds', { least: 1, most: 100 });
const window = count(values.seconds, '--seconds', { least: 1, most: 600 }) * 1_000;

const isCopied = ({ deposits }: Pick<GrownDatabase, 'deposits'>) => deposits <= COPIED;

/** What is compared in each round. */
const LANES: readonly Lanes[] = ['one', 'all'];

await runCommand(async () => {
  using progress = showProgress();
  progress.step('starting PostgreSQL');
  await using server = await startServer({ settings: ADVISED_SETTINGS });
  const machine = await describeMachine(server);
  const customers = createCustomers(WALLETS);
  const databases = await openGrownDatabases(server.url, {
    customers,
    sizes,
    // A copy for each measurement, and one that is only read.
    copies: (deposits) => (isCopied({ deposits }) ? rounds * LANES.length + 1 : 1),
    say: (what) => progress.step(what),
  });
  const payments = createEndlessPayments(customers);
  const bytes = new Map<GrownDatabase, Grown['sizes']>();
  for (const database of databases) bytes.set(database, await readSizes(database.url(0)));
  const rates = new Map<GrownDatabase, Rate[]>(databases.map((database) => [database, []]));
  let sent = 0;
  for (let round = 0; round < rounds; round += 1) {
    for (const database of turned(databases, round)) {
      for (const [place, lanes] of turned([...LANES.entries()], round)) {
        progress.step(`round ${String(round + 1)}: ${whole(database.deposits)} deposits, lanes: ${lanes}`);
        const first = sent;
        const supply = { at: (call: number) => payments.at(first + call) };
        const url = database.url(1 + round * LANES.length + place);
        const terms = { lanes, payments: supply, serverPid: server.pid, callers: CALLERS, window };
        const rate = await measureRate(url, terms);
        sent += rate.acknowledged;
        rates.get(database)?.push(rate);
        if (isCopied(database)) await auditGrown(url, database.deposits + rate.acknowledged);
      }
    }
  }
  const grown: Grown[] = [];
  for (const database of databases) {
    progress.step(`${whole(database.deposits)} deposits: reading and auditing`);
    const { deposits, loading } = database;
    const reads = await measureReads(database.url(0), customers);
    const measured = rates.get(database) ?? [];
    const added = measured.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
    const audit = await auditGrown(database.url(0), isCopied(database) ? deposits : deposits + added);
    grown.push({ deposits, loading, sizes: bytes.get(database) ?? [], rates: measured, reads, audit });
  }
  const [load = Number.NaN] = loadavg();
  const printed = growthValues(grown);
  process.stdout.write(`${Object.values(printed).join('\n\n')}\n`);
  const isWhole = sizes.some((size) => size >= LEAST_DEPOSITS);
  const output = values.output ?? (isWhole ? RESULTS : undefined);
  if (output === undefined) return 0;
  await writeResults(join(import.meta.dirname, 'growth', 'growth.template.md'), resolve(output), {
    ...printed,
    command: typedCommand('bench:growth'),
    date: new Date().toISOString().slice(0, 10),
    rounds: whole(rounds),
    callers: whole(CALLERS),
    window: rounded(window / 1_000),
    copied: whole(COPIED),
    settings: settingsText(ADVISED_SETTINGS),
    load: rounded(load),
    loading: grown.map(({ deposits, loading }) => `${rounded(loading)} s (${whole(deposits)})`).join(', '),
    machine,
  });
  await mkdir(resolve(output), { recursive: true });
  await writeFile(join(resolve(output), 'growth.svg'), drawGrowth(grown));
  return 0;
});
