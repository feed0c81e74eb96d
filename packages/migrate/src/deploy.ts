// db:deploy: brings the database to the newest migration.
import { parseArgs } from 'node:util';
import { print, runCommand } from './command.ts';
import { deploy } from './deployment.ts';
import { projectAt } from './project.ts';
import { openTarget } from './target.ts';
import { isWrong } from './verify/finding.ts';
import { verdict } from './verify/report.ts';
import { verifyDatabase } from './verify/verify-database.ts';

await runCommand(async () => {
  parseArgs({ options: {} });
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
