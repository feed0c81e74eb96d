import type { Client } from 'pg';
import { withConnection, historySchema } from '../connection.ts';
import { hasDistributedForm } from '../distribute/distributed-dump.ts';
import { MigrateError, codeOf } from '../errors.ts';
import { forgetAttempt, readHistory } from '../history.ts';
import type { HistoryPlace } from '../history.ts';
import { takeMigrationLock } from '../migration-lock.ts';
import type { LockOptions } from '../migration-lock.ts';
import { readMigrations } from '../migrations.ts';
import { NO_PROGRESS } from '../terminal/progress.ts';
import type { Progress } from '../terminal/progress.ts';
import { readSnapshot, readTables } from './catalog.ts';
import type { Snapshot } from './catalog.ts';
import { describeLoss, measureLoss } from './loss.ts';
import type { Loss } from './loss.ts';
import { planRollback } from './plan.ts';
import type { Step } from './plan.ts';
import { readEffect, rehearse, runDowns } from './rehearsal.ts';
import type { Effect } from './rehearsal.ts';
import { busyAdvice } from './script.ts';
import type { Surroundings } from './script.ts';

export interface RollbackOptions {
  readonly url: string;
  /** The migrations folder. */
  readonly migrations: string;
  /** The migration to walk back to, which stays; without it, one step. */
  readonly to?: string | undefined;
  /** Walk back although rows are lost. */
  readonly discardData?: boolean;
  readonly lock?: LockOptions;
  /** How long to wait for a table that others use; while it waits, everybody who comes later waits behind it. */
  readonly tableWaitMilliseconds?: number;
  readonly progress?: Progress;
}

export interface RollbackReport {
  /** What was walked back, in this order. */
  readonly steps: { readonly name: string; readonly milliseconds: number }[];
  /** What was lost by it. */
  readonly losses: Loss[];
}

/** A deploy that has to be waited for may take its time. */
const DEFAULT_LOCK: LockOptions = { waitMilliseconds: 120_000 };

const DEFAULT_TABLE_WAIT = 10_000;

/** How often to begin again when the server has ended the transaction to break a circle of waiting sessions. */
const ATTEMPTS = 5;

/**
 * Walks migrations back with their down.sql and Prisma's history, all in one transaction: what was asked for happens as
 * a whole or not at all. Under Prisma's migration lock, so that no deploy runs meanwhile.
 *
 * @throws {MigrateError} DATA_WOULD_BE_LOST with counts, and every reason for which a rollback cannot be done. In each
 *   of these cases the database is as it was.
 */
export async function rollBack(options: RollbackOptions): Promise<RollbackReport> {
  const migrations = await readMigrations(options.migrations);
  return withConnection(options.url, async (client) => {
    await takeMigrationLock({ client, url: options.url }, options.lock ?? DEFAULT_LOCK);
    const place = { client, schema: historySchema(options.url) };
    const steps = planRollback(migrations, await readHistory(place), options.to);
    if (steps.length === 0) return { steps: [], losses: [] };
    if (await hasDistributedForm(client)) {
      throw new MigrateError(
        'DOWN_NOT_TRANSACTIONAL',
        'the database is distributed, and the ways back are for one machine. Go forward with a migration, or back to a copy.',
      );
    }
    return withoutDeadlock(() => walkBack(place, steps, options));
  });
}

/** One transaction. Tables stay locked against writers from the first measurement to the commit. */
async function walkBack(
  place: HistoryPlace,
  steps: readonly Step[],
  {
    discardData = false,
    tableWaitMilliseconds = DEFAULT_TABLE_WAIT,
    progress = NO_PROGRESS,
  }: RollbackOptions,
): Promise<RollbackReport> {
  const { client, schema } = place;
  const settings = `SET LOCAL lock_timeout = ${tableWaitMilliseconds}; SET LOCAL statement_timeout = 0; SET LOCAL row_security = off`;
  const surroundings = { schema, settings };
  await client.query('BEGIN');
  try {
    await client.query(settings);
    await lockTables(client);
    const before = await readSnapshot(client);
    progress.step('rehearsing');
    const effect = await rehearse(client, async () => {
      await runDowns(client, steps, surroundings);
      return readEffect(client, before);
    });
    progress.step('counting what would be lost');
    const losses = await measureLoss(client, effect, { steps, surroundings });
    if (losses.length > 0 && !discardData) throw refusal(losses);
    progress.step('walking back');
    assertNoNewTable(before, await readSnapshot(client));
    const done = await runSteps(place, steps, surroundings);
    assertSame(effect, await readEffect(client, before));
    await client.query('COMMIT');
    return { steps: done, losses };
  } catch (error) {
    // It may have been the connection that failed, and then there is nothing to roll back.
    await client.query('ROLLBACK').catch(() => undefined);
    throw codeOf(error) === '55P03' && error instanceof Error
      ? new MigrateError('TABLES_BUSY', busyAdvice(error), { cause: error })
      : error;
  }
}

async function runSteps(
  place: HistoryPlace,
  steps: readonly Step[],
  surroundings: Surroundings,
): Promise<RollbackReport['steps']> {
  const done: RollbackReport['steps'] = [];
  for (const step of steps) {
    const start = performance.now();
    await runDowns(place.client, [step], surroundings);
    await forgetAttempt(place, step.attempt);
    done.push({ name: step.name, milliseconds: Math.round(performance.now() - start) });
  }
  return done;
}

/** What a script touches is known only after it has run, and then it is too late to keep others from writing there. */
async function lockTables(client: Client): Promise<void> {
  const names = (await readTables(client)).filter(({ isOwned }) => isOwned).map(({ sql }) => sql);
  if (names.length > 0) await client.query(`LOCK TABLE ${names.join(', ')} IN SHARE ROW EXCLUSIVE MODE`);
}

/** A table that another session has made since the rehearsal began could go without its rows having been counted. */
function assertNoNewTable(before: Snapshot, now: Snapshot): void {
  const known = new Set(before.tables.map(({ oid }) => oid));
  if (now.tables.some(({ oid }) => !known.has(oid))) throw schemaChanged();
}

/** The same for one that was made only while the scripts ran for real. */
function assertSame(rehearsed: Effect, real: Effect): void {
  const names = ({ tables, columns, strangers }: Effect): string =>
    JSON.stringify([
      tables.map(({ label }) => label),
      columns.map(({ table, column }) => [table.label, column.name]),
      strangers,
    ]);
  if (names(rehearsed) !== names(real)) throw schemaChanged();
}

function schemaChanged(): MigrateError {
  return new MigrateError(
    'SCHEMA_CHANGED',
    'another session makes or changes tables. Try again when it has finished.',
  );
}

function refusal(losses: readonly Loss[]): MigrateError {
  const list = losses.map((loss) => `\n  ${describeLoss(loss)}`).join('');
  return new MigrateError('DATA_WOULD_BE_LOST', `to walk back and lose them, say --discard-data.${list}`);
}

async function withoutDeadlock<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (codeOf(error) !== '40P01' || attempt === ATTEMPTS) throw error;
    }
  }
}
