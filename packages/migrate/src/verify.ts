// db:verify: compares a live database with the repository.
import { parseArgs } from 'node:util';
import { print, runCommand } from './command.ts';
import { showProgress } from './progress.ts';
import { projectAt } from './project.ts';
import { openTarget } from './target.ts';
import { isWrong } from './verify/finding.ts';
import { renderReport } from './verify/report.ts';
import { verifyDatabase } from './verify/verify-database.ts';

await runCommand(async () => {
  parseArgs({ options: {} });
  const project = projectAt();
  await using target = await openTarget(project);
  using progress = showProgress();
  progress.step('verifying');
  const verification = await verifyDatabase({ url: target.url, project });
  progress.end();
  for (const line of renderReport(verification)) print(line);
  return verification.checks.some(isWrong) ? 1 : 0;
});
