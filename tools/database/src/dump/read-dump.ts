import type { Client } from 'pg';
import { readConstraints, readIndexes } from './constraints.ts';
import { compareObjects } from './dump-object.ts';
import type { CatalogObject, DumpObject, Reader } from './dump-object.ts';
import { normalizeExpressions } from './expression-text.ts';
import { readFunctions } from './functions.ts';
import { readComments, readOthers } from './others.ts';
import { readExtensions, readSchemas } from './schemas.ts';
import { readSequences } from './sequences.ts';
import { readTables } from './tables.ts';
import { readTriggers } from './triggers.ts';
import { readTypes } from './types.ts';
import { readViews } from './views.ts';

const READERS: Reader[] = [
  readExtensions,
  readSchemas,
  readTypes,
  readSequences,
  readFunctions,
  readTables,
  readConstraints,
  readIndexes,
  readViews,
  readTriggers,
  readComments,
  readOthers,
];

// Names are written with their schema, and constants in one form, whatever the session or the database has set.
const SETTINGS = `
  SELECT set_config('search_path', '', true), set_config('DateStyle', 'ISO', true),
         set_config('IntervalStyle', 'postgres', true), set_config('TimeZone', 'UTC', true),
         set_config('bytea_output', 'hex', true), set_config('quote_all_identifiers', 'off', true)`;

/**
 * All that the schemas hold, as SQL, in an order that is always the same. The text is the same from every supported
 * version of PostgreSQL. Owners and privileges are not part of it, nor is Prisma's own table.
 *
 * @param schemas only these. Default: all but PostgreSQL's own.
 */
export async function readDump(client: Client, schemas?: readonly string[]): Promise<DumpObject[]> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    await client.query(SETTINGS);
    const objects: CatalogObject[] = [];
    for (const read of READERS) objects.push(...(await read(client)));
    return objects
      .filter(({ schema }) => schemas === undefined || schemas.includes(schema))
      .toSorted(compareObjects)
      .map(({ kind, name, sql }) => ({
        kind,
        name,
        sql: hasFreeText(kind) ? sql : normalizeExpressions(sql),
      }));
  } finally {
    await client.query('ROLLBACK');
  }
}

/** Whether an object is text that the server keeps as it was written. */
function hasFreeText(kind: string): boolean {
  return kind === 'function' || kind === 'comment';
}
