import { escapeIdentifier } from 'pg';
import type { Client } from 'pg';
import { codeOf } from './errors.ts';

/** A row of Prisma's own table: one attempt to apply a migration. */
export interface Attempt {
  readonly id: string;
  readonly name: string;
  readonly checksum: string;
  /** How it stands. A failed attempt that was declared rolled back counts for nothing any more. */
  readonly state: 'applied' | 'unfinished' | 'rolled back';
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  /** What the server said when it failed. */
  readonly logs: string | null;
}

/** Where Prisma's history is: a connection, and the schema that the connection string names. */
export interface HistoryPlace {
  readonly client: Client;
  readonly schema: string;
}

/**
 * All attempts in the order in which they were made; undefined when nothing was ever deployed.
 */
export async function readHistory(place: HistoryPlace): Promise<Attempt[] | undefined> {
  try {
    const { rows } = await place.client.query<Attempt>(`
      SELECT id, migration_name AS name, checksum, started_at AS "startedAt", finished_at AS "finishedAt", logs,
             CASE WHEN rolled_back_at IS NOT NULL THEN 'rolled back'
                  WHEN finished_at IS NULL THEN 'unfinished'
                  ELSE 'applied' END AS state
        FROM ${tableOf(place)}
       ORDER BY started_at, migration_name COLLATE "C", finished_at`);
    return rows;
  } catch (error) {
    // No such table, or no such schema: both mean that Prisma has never been here.
    if (codeOf(error) === '42P01') return undefined;
    throw error;
  }
}

/** The attempts by which the database has become what it is. */
export function appliedOf(attempts: readonly Attempt[] | undefined): Attempt[] {
  return (attempts ?? []).filter(({ state }) => state === 'applied');
}

/** Removes an attempt from the history: the migration counts as never applied. */
export async function forgetAttempt(place: HistoryPlace, { id }: Attempt): Promise<void> {
  await place.client.query(`DELETE FROM ${tableOf(place)} WHERE id = $1`, [id]);
}

/** Writes down a migration that was applied, as Prisma does. */
export async function noteApplied(
  place: HistoryPlace,
  { id, name, checksum }: Pick<Attempt, 'id' | 'name' | 'checksum'>,
): Promise<void> {
  await place.client.query(
    `INSERT INTO ${tableOf(place)} (id, migration_name, checksum, finished_at, applied_steps_count)
     VALUES ($1, $2, $3, clock_timestamp(), 1)`,
    [id, name, checksum],
  );
}

function tableOf({ schema }: HistoryPlace): string {
  return `${escapeIdentifier(schema)}._prisma_migrations`;
}
