// db:dump: writes prisma/schema.sql from a freshly migrated database.
import { writeFile } from 'node:fs/promises';
import { readCommandLine } from '@repo/command/command-line';
import { print, runCommand } from './command.ts';
import { withConnection } from './connection.ts';
import { deploy } from './deployment.ts';
import { renderDump } from './dump/dump-text.ts';
import { readDump } from './dump/read-dump.ts';
import { readEnvironment } from './env.ts';
import { showProgress } from './terminal/progress.ts';
import { projectAt } from './project.ts';
import { openScratchDatabase } from './scratch.ts';

const USAGE = `Usage: db:dump

Writes prisma/schema.sql from a database that it makes and migrates.

Settings, from the environment or .env:
  TEST_DATABASE_URL   a server to make fresh databases on; without it one of its own, for as long as it takes

Exit codes: 0 done, 1 it failed, 2 the command line cannot be used.`;

readCommandLine(USAGE);

await runCommand(async () => {
  const project = projectAt();
  using progress = showProgress();
  progress.step('making a fresh database');
  await using scratch = await openScratchDatabase(readEnvironment(project.root).testServerUrl);
  progress.step('applying the migrations');
  const { exitCode, output } = await deploy({ project, url: scratch.url, output: 'keep' });
  progress.end();
  if (exitCode !== 0) {
    process.stderr.write(output);
    return exitCode;
  }
  const objects = await withConnection(scratch.url, (client) => readDump(client));
  await writeFile(project.dump, renderDump(objects));
  print(`prisma/schema.sql: ${objects.length} objects`);
  return 0;
});
