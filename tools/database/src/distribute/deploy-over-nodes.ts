import { randomUUID } from 'node:crypto';
import { historySchema, withConnection } from '../connection.ts';
import { readDumpFile } from '../dump/files.ts';
import { MigrateError, messageOf } from '../errors.ts';
import { appliedOf, noteApplied, readHistory } from '../history.ts';
import type { Attempt, HistoryPlace } from '../history.ts';
import { takeMigrationLock } from '../migration-lock.ts';
import type { LockOptions } from '../migration-lock.ts';
import { checksumOf, readMigrations } from '../migrations.ts';
import type { Migration } from '../migrations.ts';
import type { Project } from '../project.ts';
import { pendingOf } from '../verify/history.ts';
import { hasDistributedForm } from './distributed-dump.ts';
import { inForm, setSessions } from './placement.ts';
import { updateForm } from './update-form.ts';

export interface OverNodes {
  /** Of the coordinator. */
  readonly url: string;
  readonly project: Pick<Project, 'migrations' | 'dump' | 'distributed'>;
  readonly lock: LockOptions;
  /** Refuse pending migrations, and bring the form alone up to date. Default: false. */
  readonly isFormAlone?: boolean;
}

/** Whether a database is distributed. One that is not there is not. */
export async function isDistributed(url: string): Promise<boolean> {
  try {
    return await withConnection(url, hasDistributedForm);
  } catch (error) {
    if (error instanceof MigrateError) return false;
    throw error;
  }
}

/**
 * Brings a distributed database to the newest migration, and its form to what the release says of it: all pending migrations
 * and the form in one transaction over the nodes, so that nobody meets functions of one machine meanwhile. That is why
 * Prisma's command, which has a transaction for each migration, does not do it. With nothing pending only the form is
 * brought up to date.
 *
 * @returns the names of the migrations that it applied
 * @throws {MigrateError} NOT_DISTRIBUTABLE naming the migration that cannot be applied, or MIGRATION_UNFINISHED, and the
 *   database is as it was
 */
export async function deployOverNodes({
  url,
  project,
  lock,
  isFormAlone = false,
}: OverNodes): Promise<string[]> {
  const migrations = await readMigrations(project.migrations);
  const dump = await readDumpFile(project.dump);
  return withConnection(url, async (client) => {
    await takeMigrationLock({ client, url }, lock);
    const place = { client, schema: historySchema(url) };
    const attempts = (await readHistory(place)) ?? [];
    refuseUnfinished(attempts);
    const pending = pendingOf(migrations, appliedOf(attempts));
    const [first] = pending;
    if (isFormAlone && first !== undefined) {
      throw new MigrateError(
        'NOT_DISTRIBUTABLE',
        `migration ${first.name} is pending. Run db:deploy, which applies it and brings the form up to date.`,
      );
    }
    await inForm(client, async () => {
      await client.query(`SET LOCAL daftari.form = 'open'`);
      for (const migration of pending) await apply(place, migration);
      await updateForm(client, { dump, sources: project.distributed });
    });
    await setSessions(client);
    return pending.map(({ name }) => name);
  });
}

function refuseUnfinished(attempts: readonly Attempt[]): void {
  const unfinished = attempts.find(({ state }) => state === 'unfinished');
  if (unfinished === undefined) return;
  throw new MigrateError('MIGRATION_UNFINISHED', `${unfinished.name}. db:verify says what to do about it.`);
}

async function apply(place: HistoryPlace, { name, sql }: Migration): Promise<void> {
  try {
    await place.client.query(sql);
  } catch (cause) {
    throw new MigrateError(
      'NOT_DISTRIBUTABLE',
      `migration ${name} cannot be applied to it: ${messageOf(cause)}. Over nodes a unique index and a key begin with the ` +
        'lane, a foreign key leads to the same lane, and one statement asks for rows of one lane.',
      { cause },
    );
  }
  await noteApplied(place, { id: randomUUID(), name, checksum: checksumOf(sql) });
}
