// db:status: where the database stands.
import { readCommandLine } from '@repo/command/command-line';
import { print, runCommand } from './command.ts';
import { showProgress } from './terminal/progress.ts';
import { projectAt } from './project.ts';
import { readStatus, renderStatus } from './status/read-status.ts';
import { openReadTarget, REPLICA_OPTION } from './target.ts';

const USAGE = `Usage: db:status [--replica]

Where the database stands: whether it is a primary that keeps what it acknowledges, its migrations, the rows of
each table, what waits for people, and whether the balances add up to zero. It only reads.

${REPLICA_OPTION}

Settings, from the environment or .env:
  DATABASE_URL   the database; without it the development database, whose server runs as long as it is used

Exit codes: 0 the balances add up, 1 the balances do not add up, or it failed, 2 the command line cannot be used.`;

const { values } = readCommandLine(USAGE, { options: { replica: { type: 'boolean', default: false } } });

await runCommand(async () => {
  const project = projectAt();
  await using target = await openReadTarget(project, values.replica);
  using progress = showProgress();
  const status = await readStatus({ url: target.url, migrations: project.migrations, progress });
  progress.end();
  for (const line of renderStatus(status)) print(line);
  return status.balances.every(({ isZero }) => isZero) ? 0 : 1;
});
