// drift: whether migrations, ways back, function sources, models and the committed dump say the same. Part of check.
import { readCommandLine } from '@repo/command/command-line';
import { print, runCommand } from './command.ts';
import { deploy } from './deployment.ts';
import { DRIFT_CHECKS, runDriftCheck } from './drift/check-drift.ts';
import { readEnvironment } from './env.ts';
import { showProgress } from './terminal/progress.ts';
import { projectAt } from './project.ts';
import { openScratchDatabase } from './scratch.ts';

const USAGE = `Usage: drift

Whether migrations, ways back, function sources, models and the committed dump say the same, and whether all times are
taken in UTC. Works on fresh databases and never on that of DATABASE_URL. A part of check.

Settings, from the environment or .env:
  TEST_DATABASE_URL   a server to make fresh databases on; without it one of its own, for as long as it takes

Exit codes: 0 nothing differs, 1 something differs, or it could not run, 2 the command line cannot be used.`;

readCommandLine(USAGE);

await runCommand(async () => {
  const project = projectAt();
  const { testServerUrl } = readEnvironment(project.root);
  using progress = showProgress();
  progress.step('making fresh databases');
  await using migrated = await openScratchDatabase(testServerUrl);
  await using empty = await openScratchDatabase(testServerUrl);
  progress.step('applying the migrations');
  const { exitCode, output } = await deploy({ project, url: migrated.url, output: 'keep' });
  if (exitCode !== 0) {
    process.stderr.write(output);
    return exitCode;
  }
  let failures = 0;
  for (const check of DRIFT_CHECKS) {
    progress.step(check.claim);
    const problems = await runDriftCheck(check, { project, url: migrated.url, emptyUrl: empty.url });
    progress.end();
    print(`  ${problems.length === 0 ? 'ok   ' : 'WRONG'}  ${check.claim}`);
    for (const problem of problems) print(`         ${problem.replaceAll('\n', '\n         ')}`);
    if (problems.length > 0) failures += 1;
  }
  return failures === 0 ? 0 : 1;
});
