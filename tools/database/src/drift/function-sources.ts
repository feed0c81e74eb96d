import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Client } from 'pg';
import { IS_USER_SCHEMA, standsAlone } from '../dump/catalog.ts';
import { messageOf } from '../errors.ts';

interface FunctionRow {
  readonly name: string;
  readonly definition: string;
}

const FUNCTIONS = `
  SELECT n.nspname || '.' || p.proname AS name, pg_get_functiondef(p.oid) AS definition
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE p.prokind <> 'a' AND ${IS_USER_SCHEMA} AND ${standsAlone('pg_proc', 'p.oid')}`;

// A row that this transaction has written carries its number, cut to 32 bits.
const WRITTEN = `${FUNCTIONS} AND p.xmin::text = (pg_current_xact_id()::text::numeric % 4294967296)::text`;

/**
 * Whether each function of the database has one source file, each source file makes one function, and running the file
 * changes nothing. Files are named `<schema>.<name>.sql`, in folders by subject.
 *
 * @returns what is wrong, in sentences
 */
export async function checkFunctionSources(client: Client, directory: string): Promise<string[]> {
  const paths = (await readdir(directory, { recursive: true }))
    .filter((path) => path.endsWith('.sql'))
    .toSorted();
  const { rows: deployed } = await client.query<FunctionRow>(FUNCTIONS);
  const sourced = new Set(paths.map((path) => basename(path, '.sql')));
  const problems = deployed
    .filter(({ name }) => !sourced.has(name))
    .map(({ name }) => `function ${name} has no source file ${name}.sql`);
  for (const path of paths) {
    problems.push(...(await checkFile(client, join(directory, path), { name: basename(path), deployed })));
  }
  return problems;
}

async function checkFile(
  client: Client,
  path: string,
  { name: file, deployed }: { name: string; deployed: readonly FunctionRow[] },
): Promise<string[]> {
  // The migrations' copies have these line ends, whatever a checkout has made of the source.
  const sql = (await readFile(path, 'utf8')).replaceAll('\r\n', '\n');
  await client.query('BEGIN');
  try {
    await client.query(sql);
    const { rows } = await client.query<FunctionRow>(WRITTEN);
    const [made, ...others] = rows;
    if (made === undefined) return [`${file} makes no function`];
    if (others.length > 0)
      return [`${file} makes ${rows.map(({ name }) => name).join(', ')}, not one function`];
    if (`${made.name}.sql` !== file) return [`${file} makes ${made.name}, and is named otherwise`];
    const before = deployed.filter(({ name }) => name === made.name);
    if (before.length === 0) return [`function ${made.name} of ${file} is in no migration`];
    if (before.length > 1)
      return [`there are ${before.length} functions ${made.name}, which ${file} cannot all be`];
    return before[0]?.definition === made.definition
      ? []
      : [`function ${made.name} differs between ${file} and the migrations`];
  } catch (error) {
    return [`${file} cannot be run: ${messageOf(error)}`];
  } finally {
    await client.query('ROLLBACK');
  }
}
