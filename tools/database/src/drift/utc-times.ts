import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from 'pg';
import { IS_USER_SCHEMA, standsAlone } from '../dump/catalog.ts';

// Times are TIMESTAMP(3) in UTC. PostgreSQL turns its own clock into one by the session's time zone, which is whatever
// the machine or the person has set, so the zone must stand beside every look at the clock.

const ADVICE = "Write (now() AT TIME ZONE 'UTC')";

const DEFAULTS = `
  SELECT format('%s.%s.%s', n.nspname, c.relname, a.attname) AS name, pg_get_expr(d.adbin, d.adrelid) AS expression,
         format_type(coalesce(nullif(t.typbasetype, 0), a.atttypid), NULL) AS type
    FROM pg_attrdef d
    JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    JOIN pg_type t ON t.oid = a.atttypid
    JOIN pg_class c ON c.oid = d.adrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE a.attgenerated = '' AND ${IS_USER_SCHEMA}
     AND coalesce(nullif(t.typbasetype, 0), a.atttypid) IN ('timestamp'::regtype, 'date'::regtype, 'time'::regtype)
   ORDER BY name`;

const FUNCTIONS = `
  SELECT n.nspname || '.' || p.proname AS name, p.prosrc AS body
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE p.prokind <> 'a' AND ${IS_USER_SCHEMA} AND ${standsAlone('pg_proc', 'p.oid')}
   ORDER BY name`;

const CLOCK =
  /(?<!extract\s*\(\s*epoch\s+from\s+)(?:\b(?:now|(?:clock|statement|transaction)_timestamp)\s*\(\s*\)|\bcurrent_timestamp\b(?:\s*\(\d\))?)(?!\s*\)*\s*at\s+time\s+zone)/gi;
const LOCAL_CLOCK = /\b(?:localtimestamp|localtime|current_date|current_time)\b/gi;

/**
 * Whether a default or a function of the database writes another time than UTC.
 *
 * @returns what is wrong, in sentences that say what to write
 */
export async function checkUtcTimes(client: Client): Promise<string[]> {
  return [...(await checkDefaults(client)), ...(await checkFunctions(client))];
}

/** The same for the models: `@default(now())` becomes CURRENT_TIMESTAMP in the migration that Prisma writes. */
export async function checkModelTimes(models: string): Promise<string[]> {
  const files = (await readdir(models)).filter((name) => name.endsWith('.prisma')).toSorted();
  const problems: string[] = [];
  for (const file of files) {
    const lines = (await readFile(join(models, file), 'utf8')).split('\n');
    for (const [index, line] of lines.entries()) {
      const [code = ''] = line.split('//');
      if (!/@default\(\s*now\(\s*\)\s*\)/.test(code) || /@db\.Timestamptz/.test(code)) continue;
      problems.push(
        `${file}:${index + 1} has @default(now()), which writes the session's local time. Write ` +
          `@default(dbgenerated("(now() AT TIME ZONE 'UTC'::text)"))`,
      );
    }
  }
  return problems;
}

async function checkDefaults(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string; expression: string; type: string }>(DEFAULTS);
  const problems: string[] = [];
  for (const { name, expression, type } of rows) {
    const zone = /AT TIME ZONE '([^']+)'/i.exec(expression)?.[1];
    const isElsewhere = zone !== undefined && zone.toUpperCase() !== 'UTC';
    if (isElsewhere || (await dependsOnZone(client, expression, type)))
      problems.push(`${name} has the default ${expression}, which writes no UTC. ${ADVICE}`);
  }
  return problems;
}

/** Whether two sessions, a day and two hours apart by their clocks, would be given different values. */
async function dependsOnZone(client: Client, expression: string, type: string): Promise<boolean> {
  await client.query('BEGIN');
  try {
    const seconds: number[] = [];
    for (const zone of ['Etc/GMT-14', 'Etc/GMT+12']) {
      await client.query(`SET LOCAL TimeZone = '${zone}'`);
      const { rows } = await client.query<{ seconds: number | null }>(
        `SELECT extract(epoch FROM (${expression})::${type})::float8 AS seconds`,
      );
      seconds.push(rows[0]?.seconds ?? 0);
    }
    const [east = 0, west = 0] = seconds;
    // A clock that goes on between the two is not meant.
    return Math.abs(east - west) > 60;
  } finally {
    await client.query('ROLLBACK');
  }
}

async function checkFunctions(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string; body: string }>(FUNCTIONS);
  return rows.flatMap(({ name, body }) => {
    const code = body.replaceAll(/--.*$/gm, '').replaceAll(/\/\*[\s\S]*?\*\//g, '');
    const words = [...code.matchAll(CLOCK), ...code.matchAll(LOCAL_CLOCK)].map(([word]) => word);
    return [...new Set(words)].map(
      (word) => `function ${name} takes ${word} by the session's time zone. ${ADVICE}`,
    );
  });
}
