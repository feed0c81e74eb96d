import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { faultOfText } from '@repo/schema-engine/script-text';
import { MigrateError, codeOf, messageOf } from './errors.ts';

/** A folder below the migrations folder. */
export interface Migration {
  /** The folder's name, which begins with its time: the order of names is the order of migrations. */
  readonly name: string;
  readonly sql: string;
  /** The way back, if it has one. */
  readonly downSql: string | undefined;
  /** Why it is there, what it locks and what it costs, in notes.md, if it has that. */
  readonly notes: string | undefined;
}

/**
 * The migrations on disk, oldest first, or those of them whose names are wanted.
 *
 * @throws {MigrateError} MIGRATION_UNREADABLE
 */
export async function readMigrations(
  directory: string,
  isWanted: (name: string) => boolean = () => true,
): Promise<Migration[]> {
  const names = (await listFolders(directory)).filter(isWanted);
  return Promise.all(
    names.map(async (name) => ({
      name,
      sql: await readScript(join(directory, name, 'migration.sql')),
      downSql: await readScriptIfThere(join(directory, name, 'down.sql')),
      notes: await readScriptIfThere(join(directory, name, 'notes.md')),
    })),
  );
}

/** The checksum that Prisma keeps of an applied migration: SHA-256 of migration.sql, in hexadecimal. */
export function checksumOf(sql: string): string {
  return createHash('sha256').update(sql, 'utf8').digest('hex');
}

/** Whether a script is the one with this checksum; like Prisma, whatever the line ends of the checkout are. */
export function hasChecksum(sql: string, checksum: string): boolean {
  const unix = sql.replaceAll('\r\n', '\n');
  return [sql, unix, unix.replaceAll('\n', '\r\n')].some((text) => checksumOf(text) === checksum);
}

async function listFolders(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .toSorted();
  } catch (cause) {
    throw unreadable(cause);
  }
}

async function readScript(path: string): Promise<string> {
  try {
    return checkText(path, await readFile(path, 'utf8'));
  } catch (cause) {
    throw unreadable(cause);
  }
}

async function readScriptIfThere(path: string): Promise<string | undefined> {
  try {
    return checkText(path, await readFile(path, 'utf8'));
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw unreadable(cause);
  }
}

function checkText(path: string, text: string): string {
  const fault = faultOfText(text);
  if (fault !== undefined) throw new MigrateError('MIGRATION_UNREADABLE', `${path} ${fault}.`);
  return text;
}

function unreadable(cause: unknown): MigrateError {
  if (cause instanceof MigrateError) return cause;
  return new MigrateError(
    'MIGRATION_UNREADABLE',
    `${messageOf(cause)}. Each folder in it is a migration and needs a migration.sql; move others elsewhere.`,
    { cause },
  );
}
