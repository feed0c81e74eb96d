// db:deploy: brings the database to the newest migration.
import { readCommandLine } from '@repo/command/command-line';
import { print, runCommand, sayWaiting, waitOption } from './command.ts';
import { deploy } from './deployment.ts';
import { deployOverNodes, isDistributed } from './distribute/deploy-over-nodes.ts';
import { findObstacles, renderObstacles } from './preflight/preflight.ts';
import { projectAt } from './project.ts';
import { openTarget } from './target.ts';
import { faultLines, verdict } from './verify/report.ts';
import { verifyDatabase } from './verify/verify-database.ts';

const USAGE = `Usage: db:deploy [--wait <seconds>]

Looks for rows that would be in the way, brings the database to the newest migration with \`prisma migrate deploy\`, and
then checks the whole database as db:verify does. A distributed database it brings there by itself, its form included, in one
transaction.

  --wait <seconds>   how long to wait for another deploy or rollback, for whom it says (default: 900)

Settings, from the environment or .env:
  DATABASE_URL   the database; without it the development database, whose server runs as long as it is used

Exit codes: 0 done, 1 it failed; what failed is named, 2 the command line cannot be used.`;

const { values } = readCommandLine(USAGE, { options: { wait: { type: 'string', default: '900' } } });
const patienceMilliseconds = waitOption(values.wait, USAGE);

await runCommand(async () => {
  const project = projectAt();
  await using target = await openTarget(project);
  const obstacles = await findObstacles({ url: target.url, migrations: project.migrations });
  for (const line of renderObstacles(obstacles)) print(line);
  if (obstacles.length > 0) return 1;
  const { exitCode, output } = (await isDistributed(target.url))
    ? await bringOverNodes(target.url)
    : await deploy({ project, url: target.url, output: 'pass', onWait: sayWaiting, patienceMilliseconds });
  // After a failure the CLI has already given the reason, such as a missing database.
  if (exitCode !== 0) {
    if (output.includes('P3005'))
      print('To put a database that is in use under these migrations: docs/adopting.md.');
    return exitCode;
  }
  const { place, checks } = await verifyDatabase({ url: target.url, project });
  const migrations = checks.find(({ name }) => name === 'migrations')?.summary ?? '';
  print(`\n${place}: ${migrations}. ${verdict(checks)}`);
  for (const line of faultLines(checks)) print(line);
  return exitCode;
});

async function bringOverNodes(url: string): Promise<{ exitCode: number; output: string }> {
  const lock = { waitMilliseconds: patienceMilliseconds, onWait: sayWaiting };
  const applied = await deployOverNodes({ url, project: projectAt(), lock });
  for (const name of applied) print(`applied over the nodes: ${name}`);
  print('The form of the distributed database is that of this release.');
  return { exitCode: 0, output: '' };
}
