import type { Client } from 'pg';
import type { DumpObject } from '../dump/dump-object.ts';
import { MigrateError, codeOf } from '../errors.ts';
import { readFunctions } from '../new-migration/deployed-functions.ts';
import type { NamedText } from '../new-migration/order-of-use.ts';
import { inOrderOfUse } from '../new-migration/order-of-use.ts';
import { distributedDump } from './distributed-dump.ts';
import { MESSAGE_TABLES, formFunctions, guardHistory } from './form.ts';
import { KEYS } from './keys.ts';
import { LANES_SCHEMA } from './lane-form.ts';
import { splitGuards } from './local-guards.ts';
import { copyEverywhere, delegate, distributeFunctions, keepOnCoordinator } from './placement.ts';

/** What a release says of its database. */
export interface Release {
  /** The committed dump: what one machine has after all migrations. */
  readonly dump: readonly DumpObject[];
  /** Where the sources of the distributed form are. */
  readonly sources: string;
}

/**
 * Brings the form of a distributed database to what a release says of it, after its migrations and in their transaction: its
 * functions become those of the form, on every node, and new tables and guards are kept where every node finds them.
 *
 * @throws {MigrateError} NOT_DISTRIBUTABLE when the release puts a table by its lane that lies elsewhere
 */
export async function updateForm(client: Client, { dump, sources }: Release): Promise<void> {
  await requirePlaces(client);
  await splitGuards(client);
  await copyEverywhere(client);
  await keepOnCoordinator(client);
  for (const { text } of await outdatedFunctions(client, { dump, sources })) await replace(client, text);
  await dropOthers(client, await formsOf({ dump, sources }));
  await distributeFunctions(client);
  await delegate(client);
  await guardHistory(client);
}

async function requirePlaces(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    // Not citus_tables: it asks each table for its size, and waits for what this transaction has locked.
    `SELECT p.logicalrelid::text AS name FROM pg_dist_partition p
      WHERE p.partmethod = 'h' AND column_to_column_name(p.logicalrelid, p.partkey) = 'lane'`,
  );
  const placed = new Set(rows.map(({ name }) => name));
  const astray = [...KEYS.map(({ name }) => name), ...MESSAGE_TABLES].filter((name) => !placed.has(name));
  if (astray.length === 0) return;
  throw new MigrateError(
    'NOT_DISTRIBUTABLE',
    `this release keeps ${astray.join(', ')} by lane, where this database does not. Copy its rows into a database of one ` +
      'machine, run db:deploy there, and then db:distribute.',
  );
}

function formsOf({ dump, sources }: Release): Promise<NamedText[]> {
  const deployed = dump
    .filter(({ kind }) => kind === 'function')
    .map(({ name, sql }) => ({ name, definition: sql }));
  return formFunctions(deployed, sources);
}

/** Those that every node has in another text, or not at all, in an order in which they can be made. */
async function outdatedFunctions(client: Client, release: Release): Promise<NamedText[]> {
  const found = new Map(
    (await readFunctions(client)).map((each) => [each.name, `${each.definition.trimEnd()};`]),
  );
  const expected = (await distributedDump(release.dump, release.sources))
    .filter(({ kind, name, sql }) => kind === 'function' && found.get(name) !== sql)
    .map(({ name, sql }): NamedText => ({ name, text: sql }));
  // Nobody compares the heads of functions that only the form has: they are made again.
  const own = (await formsOf(release)).filter(({ name }) => name.startsWith(`${LANES_SCHEMA}.`));
  return inOrderOfUse([...expected, ...own]);
}

/** What CREATE OR REPLACE cannot change. */
const OTHER_SIGNATURE = '42P13';

async function replace(client: Client, text: string): Promise<void> {
  await client.query('SAVEPOINT function');
  try {
    await client.query(text);
  } catch (error) {
    if (codeOf(error) !== OTHER_SIGNATURE) throw error;
    await client.query('ROLLBACK TO SAVEPOINT function');
    const name = /FUNCTION ([a-z_.]+)\(/.exec(text)?.[1] ?? '';
    await client.query(`DROP FUNCTION ${name}`);
    await client.query(text);
  }
  await client.query('RELEASE SAVEPOINT function');
}

/** Drops functions that only the form has and no more, those that share their name with another one included. */
async function dropOthers(client: Client, expected: readonly NamedText[]): Promise<void> {
  const { rows } = await client.query<{ name: string; signature: string; isAlone: boolean }>(
    `SELECT n.nspname || '.' || p.proname AS name, p.oid::regprocedure::text AS signature,
            count(*) OVER (PARTITION BY p.proname) = 1 AS "isAlone"
       FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = '${LANES_SCHEMA}'`,
  );
  const texts = new Map(expected.map(({ name, text }) => [name, text]));
  const others = rows.filter(({ name, isAlone }) => !isAlone || !texts.has(name));
  for (const { signature } of others) await client.query(`DROP FUNCTION ${signature}`);
  for (const name of new Set(others.map((other) => other.name))) {
    const text = texts.get(name);
    if (text !== undefined) await client.query(text);
  }
}
