// db:status: where the database stands.
import { parseArgs } from 'node:util';
import { print, runCommand } from './command.ts';
import { showProgress } from './progress.ts';
import { projectAt } from './project.ts';
import { readStatus, renderStatus } from './status/read-status.ts';
import { openTarget } from './target.ts';

await runCommand(async () => {
  parseArgs({ options: {} });
  const project = projectAt();
  await using target = await openTarget(project);
  using progress = showProgress();
  const status = await readStatus({ url: target.url, migrations: project.migrations, progress });
  progress.end();
  for (const line of renderStatus(status)) print(line);
  return status.balances.every(({ isZero }) => isZero) ? 0 : 1;
});
