import { MigrateError } from '../errors.ts';
import { appliedOf } from '../history.ts';
import type { Attempt } from '../history.ts';
import { hasChecksum } from '../migrations.ts';
import type { Migration } from '../migrations.ts';

/** One migration to walk back. */
export interface Step {
  readonly name: string;
  /** Its row in Prisma's history. */
  readonly attempt: Attempt;
  readonly sql: string;
  readonly downSql: string;
}

/**
 * The migrations to walk back, the last applied first. What was applied last is read from the history, not from the
 * folders' names: a migration that was applied out of order may rest on one with a later name.
 *
 * @param to walk back every migration that was applied after this one; only the last one without it
 * @throws {MigrateError} when one of them is unknown, unfinished, edited, missing or without a way back
 */
export function planRollback(
  migrations: readonly Migration[],
  attempts: readonly Attempt[] | undefined,
  to: string | undefined,
): Step[] {
  const unfinished = attempts?.find(({ state }) => state === 'unfinished');
  if (unfinished !== undefined) {
    throw new MigrateError(
      'MIGRATION_UNFINISHED',
      `${unfinished.name}. Wait for the deploy that is applying it, or, if that has failed, say ` +
        `"prisma migrate resolve --rolled-back ${unfinished.name}", and try again.`,
    );
  }
  const applied = appliedOf(attempts);
  return chooseAttempts(applied, to).map((attempt) => stepOf(attempt, migrations));
}

function chooseAttempts(applied: readonly Attempt[], to: string | undefined): Attempt[] {
  if (applied.length === 0)
    throw new MigrateError('NOTHING_APPLIED', 'no migration is applied to this database.');
  if (to === undefined) return applied.slice(-1);
  const kept = applied.findLastIndex(({ name }) => name === to);
  if (kept === -1) {
    const list = applied.map(({ name }) => `\n  ${name}`).join('');
    throw new MigrateError('MIGRATION_NOT_APPLIED', `${to}. Name one of those that are:${list}`);
  }
  return applied.slice(kept + 1).toReversed();
}

function stepOf(attempt: Attempt, migrations: readonly Migration[]): Step {
  const { name } = attempt;
  const migration = migrations.find((candidate) => candidate.name === name);
  if (migration === undefined) {
    throw new MigrateError('MIGRATION_MISSING', `${name}. Check out the release that has it.`);
  }
  if (!hasChecksum(migration.sql, attempt.checksum)) {
    throw new MigrateError(
      'MIGRATION_EDITED',
      `${name}. Its down.sql belongs to another migration.sql; restore the one that was applied from version control.`,
    );
  }
  if (migration.downSql === undefined) {
    throw new MigrateError('DOWN_ABSENT', `write ${name}/down.sql, which undoes its migration.sql.`);
  }
  return { name, attempt, sql: migration.sql, downSql: migration.downSql };
}
