import { readCommandLine, readCount } from '@repo/command/command-line';
import { runCommand } from '@repo/command/run-command';
import { openOwnDatabase } from '../database.ts';
import { readSettings } from '../env.ts';
import { renderTable } from '../table.ts';
import { faultsOf, runMutationTrial } from './mutation-trial.ts';
import type { MutationReport } from './mutation-trial.ts';

const USAGE = `Usage: mpesa:mutation-trial [options]

Spoils callbacks of M-PESA in every way that we know (bytes, types, sizes, encodings, nesting, huge numbers, NUL), sends
them to a service with a database of its own, and shows that none is answered with a failure, none is lost, and the
ledger is right afterwards.

  --callbacks <n>  how many are sent (default: 100000)
  --at-once <n>    how many are under way at once (default: 16)
  --seed <text>    what is done to them (default: mutation-trial)

Settings, from the environment or .env:
  DATABASE_URL   a server to make that database on, instead of the development server

Exit codes: 0 all of it is right, 1 something is wrong or failed, 2 the command line cannot be used.`;

const { values } = readCommandLine(USAGE, {
  options: {
    callbacks: { type: 'string', default: '100000' },
    'at-once': { type: 'string', default: '16' },
    seed: { type: 'string', default: 'mutation-trial' },
  },
});
const callbacks = readCount(values.callbacks, {
  option: '--callbacks',
  least: 1,
  most: 10_000_000,
  usage: USAGE,
});
const atOnce = readCount(values['at-once'], { option: '--at-once', least: 1, most: 256, usage: USAGE });

const begun = performance.now();
const say = (line: string) =>
  process.stdout.write(`${((performance.now() - begun) / 1_000).toFixed(0).padStart(5)} s  ${line}\n`);

await runCommand(async () => {
  const database = await openOwnDatabase(readSettings());
  try {
    const { seed } = values;
    const report = await runMutationTrial({ databaseUrl: database.url, callbacks, atOnce, seed, say });
    process.stdout.write(`\n${renderAnswers(report)}\n\n${renderOutcomes(report)}\n\n`);
    const faults = faultsOf(report);
    for (const fault of faults) process.stdout.write(`WRONG: ${fault}\n`);
    if (faults.length === 0) process.stdout.write('All of it is right.\n');
    return faults.length === 0 ? 0 : 1;
  } finally {
    await database.close();
  }
});

function renderAnswers({ answers }: MutationReport): string {
  const statuses = [...new Set(Object.values(answers).flatMap((each) => Object.keys(each)))].toSorted();
  const rows = Object.entries(answers).map(([mutation, counts]) => [
    mutation,
    ...statuses.map((status) => (counts[status] ?? 0).toLocaleString('en-US')),
  ]);
  return renderTable(['what was done', ...statuses], rows);
}

function renderOutcomes({ outcomes, sent, lost }: MutationReport): string {
  const rows = Object.entries({ ...outcomes, sent, lost });
  return renderTable(
    ['in the inbox', 'callbacks'],
    rows.map(([name, count]) => [name.toLowerCase(), count.toLocaleString('en-US')]),
  );
}
