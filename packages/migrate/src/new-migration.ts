// db:migration: writes a migration's copies of functions, forth and back, from prisma/functions.
import { parseArgs } from 'node:util';
import { print, runCommand } from './command.ts';
import { readEnvironment } from './env.ts';
import { MigrateError } from './errors.ts';
import { takeMigrationFolder } from './new-migration/migration-folder.ts';
import { writeMigration } from './new-migration/write-migration.ts';
import { showProgress } from './progress.ts';
import { projectAt } from './project.ts';
import { openScratchDatabase } from './scratch.ts';

await runCommand(async () => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { last: { type: 'boolean', default: false } },
  });
  const [name, ...others] = positionals;
  if (name === undefined || others.length > 0) {
    throw new MigrateError('OPTION_INVALID', 'say one name: db:migration <name> [--last].');
  }
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
