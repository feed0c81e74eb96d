// drift: whether migrations, ways back, function sources, models and the committed dump say the same. Part of check.
import { parseArgs } from 'node:util';
import { print, runCommand } from './command.ts';
import { deploy } from './deployment.ts';
import { driftChecks, runDriftCheck } from './drift/check-drift.ts';
import { readEnvironment } from './env.ts';
import { showProgress } from './progress.ts';
import { projectAt } from './project.ts';
import { openScratchDatabase } from './scratch.ts';

await runCommand(async () => {
  parseArgs({ options: {} });
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
  for (const check of driftChecks) {
    progress.step(check.claim);
    const problems = await runDriftCheck(check, { project, url: migrated.url, emptyUrl: empty.url });
    progress.end();
    print(`  ${problems.length === 0 ? 'ok   ' : 'WRONG'}  ${check.claim}`);
    for (const problem of problems) print(`         ${problem.replaceAll('\n', '\n         ')}`);
    if (problems.length > 0) failures += 1;
  }
  return failures === 0 ? 0 : 1;
});
