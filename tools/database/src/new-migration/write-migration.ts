import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withConnection } from '../connection.ts';
import { EMPTY_NOTES } from '../drift/notes.ts';
import { codeOf } from '../errors.ts';
import { readMigrations } from '../migrations.ts';
import { runPrisma } from '../prisma-cli.ts';
import type { Project } from '../project.ts';
import { joinScript, splitScript } from './block.ts';
import type { ScriptParts } from './block.ts';
import { compareFunctions } from './function-changes.ts';
import type { MigrationFolder } from './migration-folder.ts';

export interface WrittenMigration {
  /** How many statements of functions migration.sql has. */
  readonly functions: number;
}

/**
 * Writes the functions that changed since the migration before into migration.sql, and what they were into down.sql.
 * A new migration also gets a draft of the changes of tables, from the models, and an empty notes.md. What people wrote
 * stays.
 *
 * @param emptyUrl an empty database, which is migrated up to the migration before
 */
export async function writeMigration(
  project: Project,
  { path, folder, isNew }: MigrationFolder,
  emptyUrl: string,
): Promise<WrittenMigration> {
  await migrateUpTo(project, folder, emptyUrl);
  const upFile = join(path, 'migration.sql');
  const downFile = join(path, 'down.sql');
  const up = isNew ? await draft(project, 'up', emptyUrl) : splitScript(await readIfThere(upFile));
  const down = isNew ? await draft(project, 'down', emptyUrl) : splitScript(await readIfThere(downFile));
  const changes = await withConnection(emptyUrl, (client) =>
    compareFunctions(client, { directory: project.functions, tables: up.before }),
  );
  await writeFile(upFile, joinScript(up, changes.up));
  await writeFile(downFile, joinScript(down, changes.down));
  if (isNew) await writeFile(join(path, 'notes.md'), EMPTY_NOTES);
  return { functions: changes.up.length };
}

async function migrateUpTo(project: Project, folder: string, url: string): Promise<void> {
  const earlier = await readMigrationsBefore(project.migrations, folder);
  await withConnection(url, async (client) => {
    for (const sql of earlier) await client.query(sql);
  });
}

/** The folder of the migration itself may still be empty, so only those before it are read. */
async function readMigrationsBefore(directory: string, folder: string): Promise<string[]> {
  const migrations = await readMigrations(directory, (name) => name < folder);
  return migrations.map(({ sql }) => sql);
}

/** What Prisma sees of the change: tables, columns, keys and plain indexes. People add the rest. */
async function draft(project: Project, way: 'up' | 'down', url: string): Promise<ScriptParts> {
  const database = way === 'up' ? '--from-config-datasource' : '--to-config-datasource';
  const models = way === 'up' ? '--to-schema' : '--from-schema';
  const args = ['migrate', 'diff', database, models, project.models, '--script'];
  const { exitCode, output } = await runPrisma(project, args, { url, output: 'keep' });
  const isEmpty = exitCode !== 0 || output.includes('This is an empty migration');
  return { before: isEmpty ? '' : output.slice(Math.max(0, output.indexOf('-- '))), after: '' };
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return '';
    throw error;
  }
}
