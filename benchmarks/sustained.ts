import { mkdir, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { readCommandLine, readCount, refuse } from '@repo/command/command-line';
import { runCommand } from '@repo/command/run-command';
import { createDb, createDepositIntake } from '@repo/db';
import { auditDeposits } from './audit/deposits.ts';
import { openDatabases } from './data/databases.ts';
import { createEndlessPayments } from './data/endless-payments.ts';
import { createCustomers } from './data/payments.ts';
import { BenchmarkError } from './lib/errors.ts';
import { describeMachine } from './lib/machine.ts';
import { whole } from './lib/markdown.ts';
import { showProgress } from './lib/progress.ts';
import { RESULTS, typedCommand, writeResults } from './lib/results.ts';
import { readServer, readSizes } from './lib/server-state.ts';
import { ADVISED_SETTINGS } from './lib/settings.ts';
import { PATIENCE } from './load/contest.ts';
import { drawSeconds } from './sustained/picture.ts';
import { endure } from './sustained/load.ts';
import { sustainedValues } from './sustained/report.ts';

const USAGE = `Usage: bench:sustained [--seconds N] [--callers N] [--lanes N] [--defaults] [--set NAME=VALUE]...
                       [--output FOLDER]

  --seconds N      how long deposits are recorded (default: 600)
  --callers N      how many call at once, each again as soon as it has its answer (default: 2,000)
  --lanes N        lanes of the intake, 1 to 16 (default: those of the intake itself)
  --defaults       PostgreSQL's default settings instead of those in docs/operating.md
  --set NAME=VALUE a setting of PostgreSQL, which wins over those; repeat the option for several
  --output FOLDER  where sustained.md and sustained.svg go (default: benchmarks/results; a run of less than
                   60 seconds is printed only)

It needs about 3 KB of disk for each deposit, in the folder for temporary files.

Exit codes: 0 measured, 1 it failed, 2 the command line cannot be used.`;

const WALLETS = 10_000;

/** A run that is shorter shows that the benchmark works, and no more. */
const LEAST_SECONDS = 60;

const { values } = readCommandLine(USAGE, {
  options: {
    seconds: { type: 'string', default: '600' },
    callers: { type: 'string', default: '2000' },
    lanes: { type: 'string' },
    defaults: { type: 'boolean', default: false },
    set: { type: 'string', multiple: true, default: [] },
    output: { type: 'string' },
  },
});
const count = (text: string, option: string, most: number) =>
  readCount(text, { option, least: 1, most, usage: USAGE });
const seconds = count(values.seconds, '--seconds', 86_400);
const callers = count(values.callers, '--callers', 20_000);
const lanes = values.lanes === undefined ? {} : { lanes: count(values.lanes, '--lanes', 16) };
const settings = readSettings(values.set, values.defaults ? {} : ADVISED_SETTINGS);

await runCommand(async () => {
  using progress = showProgress();
  progress.step('starting PostgreSQL and preparing the database');
  const customers = createCustomers(WALLETS);
  await using databases = await openDatabases(customers, 0, settings);
  const machine = await describeMachine(databases.server);
  const payments = createEndlessPayments(customers);
  const report = await databases.withFresh('ledger', async (url) => {
    const before = await readServer(url);
    const checkpoints: number[] = [];
    let seen = before.checkpoints;
    await using opened = new AsyncDisposableStack();
    const follow = async (second: number): Promise<void> => {
      const state = await readServer(url);
      if (state.checkpoints > seen) checkpoints.push(second);
      seen = state.checkpoints;
    };
    const db = createDb({ url, connectTimeoutMs: PATIENCE, statementTimeoutMs: PATIENCE });
    opened.defer(() => db.close());
    const intake = createDepositIntake(db, lanes);
    opened.defer(() => intake.close());
    const endured = await endure(
      async (place) => {
        const { outcome } = await intake.record(payments.at(place));
        if (outcome !== 'credited') throw new BenchmarkError('not_credited', `it is ${outcome}.`);
      },
      { callers, seconds },
      ({ answers, p99 }, second) => {
        progress.step(
          `second ${String(second)} of ${String(seconds)}: ${whole(answers)} deposits, p99 ${whole(p99)} ms`,
        );
        void follow(second);
      },
    );
    const [loadAfter = Number.NaN] = loadavg();
    const after = await readServer(url);
    const sizes = await readSizes(url);
    progress.step('comparing the books');
    await auditDeposits(url, 'ledger', endured);
    return { endured, before, after, sizes, checkpoints, loadAfter };
  });
  const printed = sustainedValues(report, { callers, settings });
  process.stdout.write(`${[printed.headline, printed.minutes, printed.sizes].join('\n\n')}\n`);
  const output = values.output ?? (seconds >= LEAST_SECONDS ? RESULTS : undefined);
  if (output === undefined) return 0;
  const template = join(import.meta.dirname, 'sustained', 'sustained.template.md');
  const date = new Date().toISOString().slice(0, 10);
  await writeResults(template, resolve(output), {
    ...printed,
    command: typedCommand('bench:sustained'),
    date,
    machine,
  });
  await mkdir(resolve(output), { recursive: true });
  await writeFile(
    join(resolve(output), 'sustained.svg'),
    drawSeconds(report.endured.seconds, report.checkpoints),
  );
  return 0;
});

/** The settings, and those of `--set` over them. */
function readSettings(
  set: readonly string[],
  usual: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const own = set.map((text): [string, string] => {
    const [, name, value] = /^([a-z_]+)=(.+)$/.exec(text) ?? [];
    if (name !== undefined && value !== undefined) return [name, value];
    return refuse('--set takes a setting and its value, as in --set wal_compression=pglz.', USAGE);
  });
  return { ...usual, ...Object.fromEntries(own) };
}
