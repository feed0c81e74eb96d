import { escapeIdentifier } from 'pg';
import { ping } from './db.ts';
import type { Db } from './db.ts';
import { DaftariError } from '../errors.ts';
import { releaseMigrations } from './release-migrations.ts';
import { query } from './handle.ts';

/**
 * Builds the check whether a database can be used by this release: it answers, is a primary that keeps what it
 * acknowledges, and it has this release's migrations,
 * all of them and no others. The migrations are read once, when the check is built; where their folder is not there,
 * only the answer counts. The role of the URL needs to read `_prisma_migrations`.
 *
 * The check throws what `checkServer` throws, DaftariError `schema_outdated` when a migration is missing, unfinished or was applied with another
 * text, and `schema_newer` when there is one that this release does not know.
 */
export function createSchemaCheck(db: Db, release = releaseMigrations()): () => Promise<void> {
  const statement = {
    name: 'schema_history',
    text: `SELECT migration_name AS name, checksum FROM ${escapeIdentifier(db.schema)}._prisma_migrations
            WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL`,
  };
  return async () => {
    await db.checkServer();
    await ping(db.patient);
    if (release === null) return;
    const applied = new Map(
      (await query<AppliedRow>(db.patient, statement, [])).map(({ name, checksum }) => [name, checksum]),
    );
    for (const [name, checksums] of release) {
      if (!checksums.includes(applied.get(name) ?? '')) throw new DaftariError('schema_outdated');
    }
    if ([...applied.keys()].some((name) => !release.has(name))) throw new DaftariError('schema_newer');
  };
}

interface AppliedRow {
  readonly name: string;
  readonly checksum: string;
}
