import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Client } from 'pg';
import type { DumpObject } from '../dump/dump-object.ts';
import { DROPPED_KEYS, DROPPED_TRIGGERS, KEYS, keyColumns } from './keys.ts';
import { splitGuard, wholeName } from './local-guards.ts';
import type { LaneTable } from './keys.ts';
import { LANES_SCHEMA } from './lane-form.ts';
import { nodeFormOf } from './node-form.ts';

/** Whether a database has the distributed form. */
export async function hasDistributedForm(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ is: boolean }>(
    `SELECT to_regclass('${LANES_SCHEMA}.claims') IS NOT NULL AS is`,
  );
  return rows[0]?.is === true;
}

/** What a database of the distributed form has in the schemas of the dump, from the dump and the sources of the form. */
export async function distributedDump(
  committed: readonly DumpObject[],
  directory: string,
): Promise<DumpObject[]> {
  const written = await readSources(directory);
  return committed.flatMap((object) => {
    if (isDropped(object)) return [];
    if (object.kind === 'trigger') return guardsOf(object);
    if (object.kind !== 'function') return [keyFormOf(object)];
    const source = written.get(object.name);
    const sql =
      source === undefined
        ? (nodeFormOf({ name: object.name, definition: object.sql }) ?? object.sql)
        : writtenFormOf(object.sql, source);
    return [{ ...object, sql }];
  });
}

/**
 * What was found in a database, with the lane behind all columns where the form adds it: a column that a release brought after
 * the database was distributed stands behind the lane, one that it brought before stands in front of it.
 */
export function withLanesLast(found: readonly DumpObject[]): DumpObject[] {
  const adding = new Set(KEYS.filter(({ addsLane = false }) => addsLane).map(({ name }) => name));
  return found.map((object) =>
    object.kind === 'table' && adding.has(object.name)
      ? { ...object, sql: object.sql.replace(LANE_AMID, '$<others>,\n$<lane>') }
      : object,
  );
}

const LANE_AMID = /^(?<lane> {4}lane smallint[^\n]*),\n(?<others>[\s\S]*?)(?=\n\))/m;

function isDropped({ kind, name }: DumpObject): boolean {
  const among = (dropped: readonly { readonly table: string; readonly name: string }[]): boolean =>
    dropped.some((each) => name === `${each.name} on ${each.table}`);
  return (kind === 'foreign key' && among(DROPPED_KEYS)) || (kind === 'trigger' && among(DROPPED_TRIGGERS));
}

/** The sources of the distributed form by the names of their functions. */
export async function readSources(directory: string): Promise<Map<string, string>> {
  const files = (await readdir(directory, { recursive: true })).filter((file) => file.endsWith('.sql'));
  const entries = files.map(async (file): Promise<[string, string]> => {
    const text = await readFile(join(directory, file), 'utf8');
    return [basename(file, '.sql'), text.replaceAll('\r\n', '\n')];
  });
  return new Map(await Promise.all(entries));
}

/** The body of a function, from its source or from the server. */
export function bodyOf(text: string): string {
  return /(\$(?:function)?\$)([\s\S]*)\1/.exec(text)?.[2] ?? '';
}

/** The signature is the one of one machine; language, body and settings are those of the source. */
function writtenFormOf(sql: string, source: string): string {
  const settings = new Set(
    [...source.slice(0, source.indexOf('$$')).matchAll(/^SET (\w+)/gm)].map(([, name]) => name),
  );
  const language = /^LANGUAGE (\w+)/m.exec(source)?.[1] ?? '';
  return sql
    .replace(/^ LANGUAGE \w+/m, ` LANGUAGE ${language}`)
    .replace(/(\$function\$)[\s\S]*\1/, () => `$function$${bodyOf(source)}$function$`)
    .split('\n')
    .filter((line) => {
      const name = /^ SET (\w+) TO /.exec(line)?.[1];
      return name === undefined || settings.has(name);
    })
    .join('\n');
}

function guardsOf(object: DumpObject): DumpObject[] {
  const guards = splitGuard(object.sql);
  if (guards === null) return [object];
  const [name = '', table = ''] = object.name.split(' on ');
  return [
    { ...object, sql: guards.rows },
    { ...object, name: `${wholeName(name)} on ${table}`, sql: guards.whole },
  ];
}

function keyFormOf(object: DumpObject): DumpObject {
  for (const table of KEYS) {
    const change = changeOf(object, table);
    if (change !== null) return { ...object, sql: change };
  }
  return object;
}

function changeOf({ kind, name, sql }: DumpObject, table: LaneTable): string | null {
  const { name: owner, primaryKey, unique, foreign, hasDefault = false, addsLane = false } = table;
  const [own, of] = name.split(' on ');
  if (kind === 'table' && name === owner) {
    const lane = `    lane smallint${hasDefault ? ' DEFAULT 0' : ''} NOT NULL`;
    if (addsLane) return sql.replace(/\n\)/, `,\n${lane}\n)`);
    return sql.replace(/^ {4}lane smallint(,?)$/m, `${lane}$1`);
  }
  if (of !== owner || own === undefined) return null;
  if (kind === 'constraint' && own === primaryKey)
    return sql.replace('PRIMARY KEY (id)', `PRIMARY KEY (${keyColumns(table)})`);
  if (kind === 'index' && own in unique) return sql.replace('USING btree (', 'USING btree (lane, ');
  if (kind === 'foreign key' && own in foreign) {
    return sql.replace('FOREIGN KEY (', 'FOREIGN KEY (lane, ').replace('(id)', '(lane, id)');
  }
  return null;
}
