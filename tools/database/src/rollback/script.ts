import { DatabaseError, escapeLiteral } from 'pg';
import type { Client } from 'pg';
import { MigrateError, codeOf } from '../errors.ts';

/** What every script finds, whatever the one before it has set. */
export interface Surroundings {
  /** Where unqualified names are looked up, as Prisma does it. */
  readonly schema: string;
  /** `SET LOCAL` statements that hold for the whole transaction. */
  readonly settings: string;
}

export interface Script extends Surroundings {
  readonly sql: string;
}

// What a statement says that ends a transaction, or that PostgreSQL runs only outside of one.
const TRANSACTION_CODES = new Set(['25001', '2D000']);

/** What a script has left in the session's temporary schema, where a rollback keeps its own tables. */
const DROP_TEMPORARY = `
DO $$
DECLARE
    t record;
BEGIN
    FOR t IN
        SELECT c.relname AS name, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind
          FROM pg_catalog.pg_class c
         WHERE c.relnamespace = pg_catalog.pg_my_temp_schema() AND c.relkind IN ('r', 'v', 'S')
           AND c.relname NOT LIKE 'daftari\\_%'
    LOOP
        EXECUTE pg_catalog.format('DROP %s IF EXISTS pg_temp.%I CASCADE', t.kind, t.name);
    END LOOP;
END
$$`;

/**
 * Runs a script of any number of statements within the transaction that is open.
 *
 * The server runs it as a string inside a DO block, because there a COMMIT in the script is refused. Sent as it is, it
 * would end the transaction, and what came before it could not be undone any more.
 */
export async function runScript(client: Client, { sql, schema, settings }: Script): Promise<void> {
  await client.query(`SELECT set_config('search_path', quote_ident($1), true)`, [schema]);
  await client.query(`DO ${escapeLiteral(`BEGIN EXECUTE ${escapeLiteral(sql)}; END`)}`);
  // A role, a setting or a temporary table that the script has left is not meant for what comes after it.
  await client.query(`RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; ${settings}`);
  await client.query(DROP_TEMPORARY);
}

/** Whether a script failed because it cannot be part of a transaction, such as CREATE INDEX CONCURRENTLY. */
export function isNotTransactional(error: unknown): boolean {
  const code = codeOf(error);
  if (code === undefined) return false;
  const isControl =
    code === '0A000' && error instanceof Error && error.message.includes('transaction commands');
  return TRANSACTION_CODES.has(code) || isControl;
}

/** The error of a down.sql, explained. Details of rows stay out of it. */
export function explainDownFailure(error: unknown, name: string, sql: string): unknown {
  if (!(error instanceof DatabaseError) || error.code === '40P01') return error;
  if (error.code === '55P03') return new MigrateError('TABLES_BUSY', busyAdvice(error), { cause: error });
  if (isNotTransactional(error)) {
    return new MigrateError(
      'DOWN_NOT_TRANSACTIONAL',
      `${name}/down.sql (${error.message}). Run it by hand with psql, then delete the migration's row from ` +
        '_prisma_migrations. A way back without CONCURRENTLY, VACUUM, BEGIN and COMMIT can be walked here.',
      { cause: error },
    );
  }
  const line = lineOf(error, sql);
  const place = line === undefined ? '' : ` in line ${line}`;
  const hint = error.hint === undefined ? '' : ` ${error.hint}`;
  return new MigrateError(
    'DOWN_FAILED',
    `${name}/down.sql${place}: ${error.message} (${error.code}).${hint}`,
    {
      cause: error,
    },
  );
}

export function busyAdvice(error: Error): string {
  return `${error.message}. Stop the services or wait until their transactions have ended, and try again.`;
}

// Only for errors that the server finds while it reads a statement; the others have no place.
function lineOf({ internalPosition, internalQuery }: DatabaseError, sql: string): number | undefined {
  if (internalPosition === undefined || internalQuery !== sql) return undefined;
  const before = [...sql].slice(0, Number(internalPosition) - 1);
  return before.filter((character) => character === '\n').length + 1;
}
