import type { Client } from 'pg';
import { isConstant } from './catalog.ts';
import type { Column, Table } from './catalog.ts';
import { derivedColumns } from './derived.ts';
import type { Step } from './plan.ts';
import { rehearse, runDowns, runUps } from './rehearsal.ts';
import type { Effect } from './rehearsal.ts';
import { copyRows, countRows, keepDeleted, keyOf, readReturned } from './rows.ts';
import type { Returned } from './rows.ts';
import type { Surroundings } from './script.ts';

/** Something that a rollback would destroy for good. */
export interface Loss {
  readonly kind: 'row' | 'value';
  /** The table, or the column with its table. */
  readonly of: string;
  readonly count: bigint;
}

export interface Walk {
  readonly steps: readonly Step[];
  readonly surroundings: Surroundings;
}

/**
 * Counts what is lost when the steps are walked back for real: rows of tables that go, rows that a script deletes from
 * tables that stay, and values in columns that go. Nobody may write to the tables meanwhile.
 *
 * Not a loss are rows that come back as they were when the migrations are applied again, because the migrations
 * themselves put them there; empty and default values; and columns that a down.sql declares as derived.
 */
export async function measureLoss(client: Client, effect: Effect, walk: Walk): Promise<Loss[]> {
  const returned = await rehearseReturn(client, effect, walk);
  const losses: Loss[] = [];
  for (const table of effect.tables) {
    losses.push({
      kind: 'row',
      of: table.label,
      count: await countRows(client, table, returned.own.get(table.oid) ?? []),
    });
  }
  for (const { before } of effect.written) {
    losses.push({ kind: 'row', of: before.label, count: returned.deleted.get(before.oid)?.lost ?? 0n });
  }
  const derived = new Set(walk.steps.flatMap(({ downSql }) => [...derivedColumns(downSql)]));
  const columns = effect.columns.filter(
    ({ table, column }) => !column.isGenerated && !derived.has(`${table.label}.${column.name}`),
  );
  for (const { table, column } of columns) {
    const except = returned.deleted.get(table.oid)?.keys ?? [];
    const count = await countValues(client, table, { column, except });
    losses.push({ kind: 'value', of: `${table.label}.${column.name}`, count });
  }
  return losses.filter(({ count }) => count > 0n);
}

/** Goes down and up again to see which rows the migrations bring by themselves. */
async function rehearseReturn(client: Client, effect: Effect, walk: Walk): Promise<Returned> {
  if (effect.written.length === 0 && !(await haveRows(client, effect.tables)))
    return { deleted: new Map(), own: new Map() };
  await copyRows(client, effect.written);
  return rehearse(client, async () => {
    await runDowns(client, walk.steps, walk.surroundings);
    await keepDeleted(client, effect.written);
    const isUp = await runUps(client, walk.steps, walk.surroundings);
    return readReturned(client, effect, isUp);
  });
}

async function haveRows(client: Client, tables: readonly Table[]): Promise<boolean> {
  if (tables.length === 0) return false;
  const conditions = tables.map(({ sql }) => `EXISTS (SELECT FROM ONLY ${sql})`);
  const { rows } = await client.query<{ some: boolean }>(`SELECT ${conditions.join(' OR ')} AS some`);
  return rows[0]?.some === true;
}

// Compared as text, as every type can be, and after a cast to the column's type, which makes 0 and 0.00 alike.
async function countValues(
  client: Client,
  table: Table,
  { column, except }: { column: Column; except: readonly string[] },
): Promise<bigint> {
  const isKept = column.default === null || !isConstant(column.default) ? 'NULL' : column.default;
  const { rows } = await client.query<{ count: string }>(
    `SELECT count(*) AS count FROM ONLY ${table.sql} t
      WHERE t.${column.sql} IS NOT NULL
        AND t.${column.sql}::text IS DISTINCT FROM (${isKept})::${column.type}::text
        AND NOT (${keyOf(table)} = ANY ($1::jsonb[]))`,
    [except],
  );
  return BigInt(rows[0]?.count ?? 0);
}

/** "12 rows of services.mpesa_callbacks", "1 value of services.mpesa_logs.account". */
export function describeLoss({ kind, of, count }: Loss): string {
  return `${count} ${kind}${count === 1n ? '' : 's'} of ${of}`;
}
