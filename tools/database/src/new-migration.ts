// db:migration: writes a migration's copies of functions, forth and back, from prisma/functions.
import { readCommandLine, refuse } from '@repo/command/command-line';
import { print, runCommand } from './command.ts';
import { readEnvironment } from './env.ts';
import { takeMigrationFolder } from './new-migration/migration-folder.ts';
import { writeMigration } from './new-migration/write-migration.ts';
import { showProgress } from './terminal/progress.ts';
import { projectAt } from './project.ts';
import { openScratchDatabase } from './scratch.ts';

const USAGE = `Usage: db:migration <name> [--last]

Writes a migration with the copies of all functions in prisma/functions that differ from what the migrations make, forth
and back. What only people know (CHECKs, triggers, rows) is theirs to write into it.

  --last   write them into the last migration instead, which nobody has deployed yet

Settings, from the environment or .env:
  TEST_DATABASE_URL   a server to make fresh databases on; without it one of its own, for as long as it takes

Exit codes: 0 done, 1 it failed, 2 the command line cannot be used.`;

const { positionals, values } = readCommandLine(USAGE, {
  options: { last: { type: 'boolean', default: false } },
  names: 1,
});
const name = positionals[0] ?? refuse('The name of the migration is missing.', USAGE);

await runCommand(async () => {
  const project = projectAt();
  using progress = showProgress();
  progress.step('making a fresh database');
  await using scratch = await openScratchDatabase(readEnvironment(project.root).testServerUrl);
  progress.step('comparing functions');
  const folder = await takeMigrationFolder(project.migrations, {
    name,
    now: new Date(),
    isLast: values.last,
  });
  const { functions } = await writeMigration(project, folder, scratch.url);
  progress.end();
  print(`prisma/migrations/${folder.folder}: ${functions} statements for functions in migration.sql`);
  print(
    'Read both scripts, write what only people know (CHECKs, triggers, rows), then run db:dump and check.',
  );
  return 0;
});
