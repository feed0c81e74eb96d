import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from 'pg';
import { dropStatement, readFunctions } from './deployed-functions.ts';
import type { DeployedFunction } from './deployed-functions.ts';
import { inOrderOfUse } from './order-of-use.ts';

/** The statements that lead from the functions of a database to those of prisma/functions, and back. */
export interface FunctionChanges {
  readonly up: readonly string[];
  readonly down: readonly string[];
}

/**
 * Compares the functions of a database with the source files. The database is left as it was.
 *
 * @param tables the hand-written statements of the migration before its functions, which these may need
 */
export async function compareFunctions(
  client: Client,
  { directory, tables }: { directory: string; tables: string },
): Promise<FunctionChanges> {
  const sources = await readSources(directory);
  const before = await readFunctions(client);
  const after = await functionsOfSources(client, { tables, sources: [...sources.values()] });
  const gone = before.filter((each) => !after.some(({ name }) => name === each.name));
  const made = after.filter((each) => !before.some(({ name }) => name === each.name));
  const changed = pairs(before, after).filter(([old, current]) => old.definition !== current.definition);
  const replaced = changed.filter(([old, current]) => old.signature !== current.signature);
  const written = [...made, ...changed.map(([, current]) => current)].map(({ name }) => ({
    name,
    text: sources.get(name) ?? '',
  }));
  const restored = [...gone, ...changed.map(([old]) => old)].map(({ name, definition }) => ({
    name,
    text: `${definition.trim()};`,
  }));
  return {
    up: [
      ...[...gone, ...replaced.map(([old]) => old)].map(dropStatement),
      ...inOrderOfUse(written).map(({ text }) => text),
    ],
    down: [
      ...replaced.map(([, current]) => dropStatement(current)),
      ...inOrderOfUse(restored).map(({ text }) => text),
      ...made.map(dropStatement),
    ],
  };
}

async function readSources(directory: string): Promise<Map<string, string>> {
  const files = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.sql'));
  const sources = new Map<string, string>();
  for (const file of files.toSorted()) {
    const name = file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1, -'.sql'.length);
    sources.set(name, await readFile(join(directory, file), 'utf8'));
  }
  return sources;
}

/** What the source files make of a database without functions, in a transaction that is rolled back. */
async function functionsOfSources(
  client: Client,
  { tables, sources }: { tables: string; sources: readonly string[] },
): Promise<DeployedFunction[]> {
  await client.query('BEGIN');
  try {
    if (tables.trim() !== '') await client.query(tables);
    await client.query('SET LOCAL check_function_bodies = off');
    for (const { name, identity } of await readFunctions(client)) {
      await client.query(`DROP FUNCTION IF EXISTS ${name}(${identity}) CASCADE`);
    }
    for (const source of sources) await client.query(source);
    return await readFunctions(client);
  } finally {
    await client.query('ROLLBACK');
  }
}

function pairs(
  before: readonly DeployedFunction[],
  after: readonly DeployedFunction[],
): [DeployedFunction, DeployedFunction][] {
  return after.flatMap((current) => {
    const old = before.find(({ name }) => name === current.name);
    return old === undefined ? [] : [[old, current]];
  });
}
