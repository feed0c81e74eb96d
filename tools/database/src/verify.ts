// db:verify: compares a live database with the repository.
import { readCommandLine } from '@repo/command/command-line';
import { print, runCommand } from './command.ts';
import { showProgress } from './terminal/progress.ts';
import { projectAt } from './project.ts';
import { openTarget } from './target.ts';
import { isWrong } from './verify/finding.ts';
import { renderReport } from './verify/report.ts';
import { verifyDatabase } from './verify/verify-database.ts';

const USAGE = `Usage: db:verify

Compares a live database with what this release expects: migrations, tables, functions, triggers, indexes. It only reads.

Settings, from the environment or .env:
  DATABASE_URL   the database; without it the development database, whose server runs as long as it is used

Exit codes: 0 nothing is wrong, 1 something is wrong, or it could not run, 2 the command line cannot be used.`;

readCommandLine(USAGE);

await runCommand(async () => {
  const project = projectAt();
  await using target = await openTarget(project);
  using progress = showProgress();
  progress.step('verifying');
  const verification = await verifyDatabase({ url: target.url, project });
  progress.end();
  for (const line of renderReport(verification)) print(line);
  return verification.checks.some(isWrong) ? 1 : 0;
});
