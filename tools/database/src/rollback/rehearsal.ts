import type { Client } from 'pg';
import { countDroppedStrangers, readTables, readWritten } from './catalog.ts';
import type { Column, Snapshot, Table } from './catalog.ts';
import type { Step } from './plan.ts';
import { explainDownFailure, isNotTransactional, runScript } from './script.ts';
import type { Surroundings } from './script.ts';

/** What down scripts do to the tables that were there before. */
export interface Effect {
  /** Tables that go. */
  readonly tables: Table[];
  /** Columns that go from tables that stay. */
  readonly columns: { readonly table: Table; readonly column: Column }[];
  /** Tables that stay and whose rows are written or replaced, as they were and as they are then. */
  readonly written: { readonly before: Table; readonly after: Table }[];
  /** How many relations go that were not there before: a script's own, or new ones of another session. */
  readonly strangers: number;
}

/** Does something and undoes it in the database, whatever comes of it. */
export async function rehearse<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query('SAVEPOINT rehearsal');
  try {
    return await work();
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT rehearsal; RELEASE SAVEPOINT rehearsal');
  }
}

/** Runs the down scripts, the last applied migration's first. */
export async function runDowns(
  client: Client,
  steps: readonly Step[],
  surroundings: Surroundings,
): Promise<void> {
  for (const { name, downSql } of steps) {
    try {
      await runScript(client, { sql: downSql, ...surroundings });
    } catch (error) {
      throw explainDownFailure(error, name, downSql);
    }
  }
}

/**
 * Runs the migrations again after their down scripts. One that cannot run in a transaction builds an index or the like,
 * brings no rows, and is left out.
 *
 * @returns whether they could be run
 */
export async function runUps(
  client: Client,
  steps: readonly Step[],
  surroundings: Surroundings,
): Promise<boolean> {
  for (const { sql } of steps.toReversed()) {
    await client.query('SAVEPOINT up');
    try {
      await runScript(client, { sql, ...surroundings });
    } catch (error) {
      await client.query('ROLLBACK TO SAVEPOINT up');
      if (!isNotTransactional(error)) return false;
    }
    await client.query('RELEASE SAVEPOINT up');
  }
  return true;
}

/** What has become of tables since a snapshot, in the open transaction. */
export async function readEffect(client: Client, before: Snapshot): Promise<Effect> {
  const after = new Map((await readTables(client)).map((table) => [table.oid, table]));
  const writtenOids = await readWritten(client);
  const strangers = await countDroppedStrangers(client, before);
  const effect: Effect = { tables: [], columns: [], written: [], strangers };
  for (const table of before.tables) {
    const now = after.get(table.oid);
    if (now === undefined) {
      effect.tables.push(table);
      continue;
    }
    const left = new Set(now.columns.map(({ number }) => number));
    const gone = table.columns.filter(({ number }) => !left.has(number));
    effect.columns.push(...gone.map((column) => ({ table, column })));
    if (writtenOids.has(table.oid) || table.file !== now.file)
      effect.written.push({ before: table, after: now });
  }
  return effect;
}
