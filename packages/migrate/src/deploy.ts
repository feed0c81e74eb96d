// db:deploy: brings the database to the newest migration.
import { readCommandLine } from '@repo/command/command-line';
import { print, runCommand } from './command.ts';
import { deploy } from './deployment.ts';
import { projectAt } from './project.ts';
import { openTarget } from './target.ts';
import { isWrong } from './verify/finding.ts';
import { verdict } from './verify/report.ts';
import { verifyDatabase } from './verify/verify-database.ts';

const usage = `Usage: db:deploy

Brings the database to the newest migration with \`prisma migrate deploy\`, waits for another deploy that is under way,
and says afterwards where the database stands.

Settings, from the environment or .env:
  DATABASE_URL   the database; without it the development database, whose server runs as long as it is used

Exit codes: 0 done, 1 it failed; what failed is named, 2 the command line cannot be used.`;

readCommandLine(usage);

await runCommand(async () => {
  const project = projectAt();
  await using target = await openTarget(project);
  const { exitCode } = await deploy({
    project,
    url: target.url,
    output: 'pass',
    onRetry: () => print('Another deployment is under way; trying again.'),
  });
  // After a failure the CLI has said all there is to say, perhaps that there is no database.
  if (exitCode !== 0) return exitCode;
  const { place, checks } = await verifyDatabase({ url: target.url, project, isQuick: true });
  const migrations = checks.find(({ name }) => name === 'migrations')?.summary ?? '';
  const advice = checks.some(isWrong) ? ' Run db:verify.' : '';
  print(`\n${place}: ${migrations}. ${verdict(checks)}${advice}`);
  return exitCode;
});
