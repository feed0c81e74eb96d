import type { Client } from 'pg';
import { historySchema, withConnection } from '../connection.ts';
import { MigrateError, codeOf } from '../errors.ts';
import { appliedOf, readHistory } from '../history.ts';
import type { Attempt } from '../history.ts';
import { readMigrations } from '../migrations.ts';
import type { Migration } from '../migrations.ts';
import { pendingOf } from '../verify/history.ts';
import { CONDITIONS } from './conditions.ts';
import type { Condition } from './conditions.ts';

/** Rows on which a pending migration would fail. */
export interface Obstacle {
  readonly migration: string;
  readonly condition: Condition;
  readonly count: string;
  /** The keys of the first rows. */
  readonly keys: readonly string[];
}

interface Histories {
  readonly migrations: readonly Migration[];
  readonly applied: readonly Attempt[];
  readonly pending: readonly Migration[];
}

/** No such table or column: then no row of it is in the way. */
const ABSENT = ['42P01', '42703', '3F000'];

/**
 * Looks for rows on which the pending migrations would fail, so that all of them are named at once, with what to do, and
 * before anything has begun. Also reads every migration, and refuses one that no server could read, and a database that
 * other migrations have made.
 *
 * @throws {MigrateError} MIGRATION_UNREADABLE, MIGRATION_MISSING
 */
export async function findObstacles(options: { url: string; migrations: string }): Promise<Obstacle[]> {
  const migrations = await readMigrations(options.migrations);
  try {
    return await withConnection(options.url, async (client) => {
      const applied = appliedOf(await readHistory({ client, schema: historySchema(options.url) }));
      const pending = pendingOf(migrations, applied);
      refuseOtherHistory({ migrations, applied, pending });
      const obstacles: Obstacle[] = [];
      for (const condition of CONDITIONS) {
        const migration = askingFor(condition, pending);
        if (migration !== undefined) obstacles.push(...(await look(client, condition, migration)));
      }
      return obstacles;
    });
  } catch (error) {
    // The database is missing or does not answer: Prisma makes it, or says so in its own words.
    if (error instanceof MigrateError && error.code !== 'MIGRATION_MISSING') return [];
    throw error;
  }
}

/** Obstacles as lines: where, how many, which, and what makes them right. */
export function renderObstacles(obstacles: readonly Obstacle[]): string[] {
  if (obstacles.length === 0) return [];
  return [
    'Rows of this database are in the way of the migrations, so nothing was done:',
    ...obstacles.flatMap(({ migration, condition, count, keys }) => {
      const more = Number(count) > keys.length ? `, and ${Number(count) - keys.length} more` : '';
      return [
        '',
        `${condition.table}: ${count} ${count === '1' ? 'row has' : 'rows have'} ${condition.what}`,
        `  ${condition.key}: ${keys.join(', ')}${more}`,
        `  in the way of: ${migration}/migration.sql (${condition.mark})`,
        '  what to do:',
        ...condition.remedy.flatMap((statement) => statement.split('\n').map((line) => `    ${line}`)),
      ];
    }),
    '',
    'Make a backup first. docs/adopting.md describes every step.',
  ];
}

/** Migrations that do not know each other would meet each other's tables half-way. */
function refuseOtherHistory({ migrations, applied, pending }: Histories): void {
  const other = applied.find(({ name }) => !migrations.some((migration) => migration.name === name));
  const [next] = pending;
  if (other === undefined || next === undefined) return;
  throw new MigrateError(
    'MIGRATION_MISSING',
    `other migrations have made this database: ${other.name} is applied, and ${next.name} is pending. Check out the ` +
      'release that has the former. A development database can be made again: stop its programs and delete .daftari.',
  );
}

function askingFor({ mark }: Condition, pending: readonly Migration[]): string | undefined {
  return pending.find(({ sql }) => sql.includes(mark))?.name;
}

async function look(client: Client, condition: Condition, migration: string): Promise<Obstacle[]> {
  const { table, key, broken } = condition;
  try {
    const { rows } = await client.query<{ count: string; keys: string[] }>(`
      SELECT (SELECT count(*) FROM ${table} r WHERE ${broken})::text AS count,
             ARRAY(SELECT r.${key}::text FROM ${table} r WHERE ${broken} ORDER BY 1 LIMIT 5) AS keys`);
    const [row] = rows;
    return row === undefined || row.count === '0' ? [] : [{ migration, condition, ...row }];
  } catch (error) {
    if (ABSENT.includes(codeOf(error) ?? '')) return [];
    throw error;
  }
}
