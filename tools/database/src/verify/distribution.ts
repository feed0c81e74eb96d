import type { Client } from 'pg';
import { bodyOf, readSources } from '../distribute/distributed-dump.ts';
import { HISTORY_GUARD, MESSAGE_TABLES } from '../distribute/form.ts';
import { KEYS } from '../distribute/keys.ts';
import { callableFormOf } from '../distribute/node-form.ts';
import { missingSomewhere, strayTables, unsetSomewhere } from '../distribute/placement.ts';
import {
  LANES_SCHEMA,
  LANE_ENTRIES,
  LANE_FUNCTIONS,
  laneFormOf,
  nameInLanes,
} from '../distribute/lane-form.ts';
import type { DumpObject } from '../dump/dump-object.ts';
import type { Check, Finding } from './finding.ts';

interface Placed {
  readonly name: string;
  /** The column that a table is distributed by; null where one node has all rows. */
  readonly column: string | null;
  readonly colocation: number;
}

const PLACES = `
  SELECT table_name::text AS name, nullif(distribution_column, '<none>') AS column, colocation_id AS colocation
    FROM citus_tables`;

const FUNCTIONS = `
  SELECT n.nspname || '.' || p.proname AS name, p.prosrc AS body
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE n.nspname = $1`;

const DELEGATED = `
  SELECT n.nspname || '.' || p.proname AS name
    FROM pg_catalog.pg_dist_object o JOIN pg_proc p ON p.oid = o.objid JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE o.classid = 'pg_proc'::regclass AND o.force_delegation AND o.distribution_argument_index = 0`;

const GUARDED = `
  SELECT count(*) > 0 AS is FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
   WHERE c.relname = '_prisma_migrations' AND t.tgname = '${HISTORY_GUARD}' AND t.tgenabled = 'O'`;

const MADE_AGAIN =
  'Nobody changes this by hand: make the database again from its backup, and distribute it with db:distribute.';
const BROUGHT_UP_TO_DATE = 'Run db:distribute: it brings the form up to date with this release.';

/** Whether tables and functions of a distributed database are where they belong. */
export async function checkDistribution(
  client: Client,
  { dump, sources }: { readonly dump: readonly DumpObject[]; readonly sources: string },
): Promise<Check> {
  const { rows: placed } = await client.query<Placed>(PLACES);
  const { rows: functions } = await client.query<{ name: string; body: string }>(FUNCTIONS, [LANES_SCHEMA]);
  const { rows: delegated } = await client.query<{ name: string }>(DELEGATED);
  const whole = new Set(delegated.map(({ name }) => name));
  const { rows: guards } = await client.query<{ is: boolean }>(GUARDED);
  const missing = await missingSomewhere(client);
  const outdated = [
    ...functionFaults(functions, await expectedBodies(dump, sources)),
    ...Object.keys(LANE_ENTRIES)
      .map(nameInLanes)
      .filter((name) => !whole.has(name))
      .map((name) => `${name} does not run on the node that has the lane`),
    ...(guards[0]?.is === true ? [] : ['migrations may come past db:deploy']),
    ...(await unsetSomewhere(client)).map((setting) => `sessions of some node begin without ${setting}`),
    ...missing.map((name) => `${name} is not on every node`),
    ...(await strayTables(client))
      .filter((name) => !missing.includes(name))
      .map((name) => `only the coordinator knows the table ${name}`),
  ];
  return {
    name: 'distribution',
    summary: `${String(KEYS.length)} tables by their lane, ${String(functions.length)} functions of the lanes`,
    findings: [
      ...placeFaults(placed).map((what): Finding => ({ severity: 'wrong', what, remedy: MADE_AGAIN })),
      ...outdated.map((what): Finding => ({ severity: 'wrong', what, remedy: BROUGHT_UP_TO_DATE })),
    ],
  };
}

function placeFaults(placed: readonly Placed[]): string[] {
  const of = (name: string) => placed.find((table) => table.name === name);
  const together = of('core.wallets')?.colocation;
  return [
    ...KEYS.filter(({ name }) => of(name)?.column !== 'lane' || of(name)?.colocation !== together).map(
      ({ name }) => `${name} is not distributed by its lane, together with the wallets`,
    ),
    ...MESSAGE_TABLES.filter((name) => of(name)?.colocation !== together).map(
      (name) => `${name} is not distributed by its lane, together with the wallets`,
    ),
    ...(of(`${LANES_SCHEMA}.claims`)?.column === 'reference'
      ? []
      : ['claims are not distributed by their reference']),
  ];
}

async function expectedBodies(dump: readonly DumpObject[], sources: string): Promise<Map<string, string>> {
  const forms = dump
    .filter(({ kind, name }) => kind === 'function' && (LANE_FUNCTIONS as readonly string[]).includes(name))
    .map(({ name, sql }): [string, string] => [
      nameInLanes(name),
      bodyOf(laneFormOf({ name, definition: sql })),
    ]);
  const callable = dump.flatMap(({ kind, name, sql }): [string, string][] => {
    const form = kind === 'function' ? callableFormOf({ name, definition: sql }) : null;
    return form === null ? [] : [[nameInLanes(name), bodyOf(form)]];
  });
  const written = [...(await readSources(sources))]
    .filter(([name]) => name.startsWith(`${LANES_SCHEMA}.`))
    .map(([name, text]): [string, string] => [name, bodyOf(text)]);
  return new Map([...forms, ...callable, ...written]);
}

function functionFaults(
  functions: readonly { readonly name: string; readonly body: string }[],
  expected: ReadonlyMap<string, string>,
): string[] {
  const found = new Map(functions.map(({ name, body }) => [name, body]));
  return [
    ...[...expected].flatMap(([name, body]) => {
      if (!found.has(name)) return [`function ${name} is missing`];
      return found.get(name) === body ? [] : [`function ${name} differs`];
    }),
    ...[...found.keys()]
      .filter((name) => !expected.has(name))
      .map((name) => `function ${name} is there and should not be`),
  ];
}
