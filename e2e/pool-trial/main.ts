import { readCommandLine, readCount } from '@repo/command/command-line';
import { runCommand } from '@repo/command/run-command';
import type { PoolTrialReport } from './pool-trial.ts';

const USAGE = `Usage: pool:trial [options]

Runs many processes of the services behind one PgBouncer that hands out connections by the transaction: payments and
transfers, each sent to two processes at once, while some of them are killed. Counts connections, and compares the ledger
with what the customers did. It needs PgBouncer, and about 80 MiB of memory for each process.

  --processes <n>    of which six in ten take payments, two move money, two send messages (default: 100)
  --connections <n>  DATABASE_CONNECTIONS of each process (default: 10)
  --pool <n>         connections of PgBouncer to the server (default: 20)
  --customers <n>    who pay and transfer at once (default: 200)
  --rounds <n>       payments and transfers of each (default: 20)
  --kills <n>        processes of each kind that are killed, but those that send messages (default: 5)
  --seed <text>      what happens (default: pool-trial)

Settings, from the environment or .env:
  DATABASE_URL   a server to make a database on, instead of the development server

Exit codes: 0 all of it is right, 1 something is wrong or failed, 2 the command line cannot be used.`;

const { values } = readCommandLine(USAGE, {
  options: {
    processes: { type: 'string', default: '100' },
    connections: { type: 'string', default: '10' },
    pool: { type: 'string', default: '20' },
    customers: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '20' },
    kills: { type: 'string', default: '5' },
    seed: { type: 'string', default: 'pool-trial' },
  },
});
const count = (option: 'processes' | 'connections' | 'pool' | 'customers' | 'rounds' | 'kills') =>
  readCount(values[option], {
    option: `--${option}`,
    least: { processes: 10, connections: 3, pool: 1, customers: 2, rounds: 1, kills: 0 }[option],
    most: 10_000,
    usage: USAGE,
  });
const [processes, connections, poolSize] = [count('processes'), count('connections'), count('pool')];
const [customers, rounds] = [count('customers'), count('rounds')];
const others = Math.floor(processes / 5);
// One of each kind is left.
const kills = Math.min(count('kills'), others - 1);

const { hasPgBouncer } = await import('@repo/postgres/pgbouncer');
const { openOwnDatabase } = await import('../database.ts');
const { readSettings } = await import('../env.ts');
const { CommandError } = await import('../errors.ts');
const { renderTable } = await import('../table.ts');
const { runPoolTrial } = await import('./pool-trial.ts');

const begun = performance.now();
const say = (line: string) =>
  process.stdout.write(`${((performance.now() - begun) / 1_000).toFixed(0).padStart(5)} s  ${line}\n`);

await runCommand(async () => {
  if (!hasPgBouncer) throw new CommandError('program_failed', 'PgBouncer is not installed.');
  const database = await openOwnDatabase(readSettings());
  try {
    const { seed } = values;
    const size = { mpesa: processes - 2 * others, wallet: others, sms: others };
    const trial = { size, connections, poolSize, customers, rounds, kills, seed };
    const report = await runPoolTrial({ databaseUrl: database.url, say, ...trial });
    process.stdout.write(`\n${render(report)}\n\n`);
    for (const fault of report.faults) process.stdout.write(`WRONG: ${fault}\n`);
    if (report.faults.length === 0) process.stdout.write('All of it is right.\n');
    return report.faults.length === 0 ? 0 : 1;
  } finally {
    await database.close();
  }
});

function render({ connections: seen, bounds, ...report }: PoolTrialReport): string {
  const number = (value: number) => value.toLocaleString('en-US');
  return renderTable(
    ['', 'seen', 'at most'],
    [
      ['connections to the server', number(seen.server), number(bounds.server)],
      ['connections to PgBouncer', number(seen.clients), number(bounds.clients)],
      ['processes', number(report.processes), ''],
      ['of which killed', number(report.killed), ''],
      ['payments, each sent twice', number(report.payments), ''],
      ['transfers, each sent twice', number(report.transfers), ''],
      ['seconds', report.seconds.toFixed(1), ''],
    ],
  );
}
