import type { Client } from 'pg';
import { historySchema, placeOf, withConnection } from '../connection.ts';
import { readDumpFile } from '../dump/files.ts';
import { appliedOf, readHistory } from '../history.ts';
import type { Attempt } from '../history.ts';
import { readMigrations } from '../migrations.ts';
import type { Migration } from '../migrations.ts';
import type { Project } from '../project.ts';
import { checkSpecification } from './check-specification.ts';
import { checkDrift, withoutKnown } from './drift.ts';
import type { Check } from './finding.ts';
import { checkHistory, pendingOf } from './history.ts';
import { checkServer } from './server.ts';
import { checkState } from './state.ts';

export type VerifyOptions = {
  url: string;
  project: Pick<Project, 'migrations' | 'dump'>;
  /** Only what is found in a moment: the server, the migrations and objects that do not work. */
  isQuick?: boolean;
};

export type Verification = { place: string; checks: Check[] };

/** Compares a live database with what the repository says that it is. Changes nothing. */
export async function verifyDatabase({ url, project, isQuick }: VerifyOptions): Promise<Verification> {
  const migrations = await readMigrations(project.migrations);
  return withConnection(url, async (client) => {
    const attempts = await readHistory({ client, schema: historySchema(url) });
    const server = await checkServer(client);
    const state = await checkState(client);
    const checks = [server, checkHistory(migrations, attempts), state];
    // Of a database that nothing was deployed to, more need not be said.
    if (!isQuick && appliedOf(attempts).length > 0) {
      const drift = await driftOf(client, { project, migrations, attempts });
      checks.push(await checkSpecification(client), withoutKnown(drift, state));
    }
    return { place: placeOf(client), checks };
  });
}

type DriftOptions = {
  project: Pick<Project, 'dump'>;
  migrations: readonly Migration[];
  attempts: readonly Attempt[] | undefined;
};

/** The dump shows the database after exactly the migrations on disk: before or beyond them there is nothing to say. */
async function driftOf(client: Client, { project, migrations, attempts }: DriftOptions): Promise<Check> {
  const applied = appliedOf(attempts);
  const known = new Set(migrations.map(({ name }) => name));
  const isElsewhere =
    pendingOf(migrations, applied).length > 0 || applied.some(({ name }) => !known.has(name));
  if (!isElsewhere) return checkDrift(client, await readDumpFile(project.dump));
  const what =
    'the objects were not compared with prisma/schema.sql, which shows the database after all migrations';
  const remedy = 'Look at what is said of the migrations first, then run db:verify again.';
  return { name: 'drift', summary: '', findings: [{ severity: 'notice', what, remedy }] };
}
