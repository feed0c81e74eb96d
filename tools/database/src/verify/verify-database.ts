import type { Client } from 'pg';
import { historySchema, placeOf, withConnection } from '../connection.ts';
import type { DumpObject } from '../dump/dump-object.ts';
import { distributedDump, hasDistributedForm } from '../distribute/distributed-dump.ts';
import { LANES_SCHEMA } from '../distribute/lane-form.ts';
import { readDumpFile, schemasOf } from '../dump/files.ts';
import { appliedOf, readHistory } from '../history.ts';
import type { Attempt } from '../history.ts';
import { readMigrations } from '../migrations.ts';
import type { Migration } from '../migrations.ts';
import type { Project } from '../project.ts';
import { checkSpecification } from './check-specification.ts';
import { checkDistribution } from './distribution.ts';
import { checkDrift, withoutKnown } from './drift.ts';
import { isWrong } from './finding.ts';
import type { Check } from './finding.ts';
import { checkNodes } from './nodes.ts';
import { checkHistory, pendingOf } from './history.ts';
import { checkPrivileges } from './privileges.ts';
import { checkServer } from './server.ts';
import { checkSettings } from './settings.ts';
import { checkState } from './state.ts';
import { checkSurroundings } from './surroundings.ts';
import { checkWallets } from './wallets.ts';

export interface VerifyOptions {
  readonly url: string;
  readonly project: Pick<Project, 'migrations' | 'dump' | 'distributed'>;
}

export interface Verification {
  readonly place: string;
  readonly checks: Check[];
}

/** Compares a live database with what the repository says that it is. Changes nothing. */
export async function verifyDatabase({ url, project }: VerifyOptions): Promise<Verification> {
  const migrations = await readMigrations(project.migrations);
  return withConnection(url, async (client) => {
    const isDistributed = await hasDistributedForm(client);
    const nodes = isDistributed ? await checkNodes(client) : null;
    // What else there is to look at lies on all of them.
    if (nodes !== null && isWrong(nodes)) return { place: placeOf(client), checks: [nodes] };
    const attempts = await readHistory({ client, schema: historySchema(url) });
    const state = await checkState(client);
    const checks = [
      await checkServer(client),
      await checkSettings(client),
      checkHistory(migrations, attempts),
      state,
      ...(nodes === null ? [] : [nodes]),
    ];
    // A database that nothing was deployed to needs no further checks.
    if (appliedOf(attempts).length > 0) {
      const committed = await readDumpFile(project.dump);
      const dump = isDistributed ? await distributedDump(committed, project.distributed) : committed;
      checks.push(
        ...(await checkObjects(client, {
          dump,
          state,
          isDistributed,
          isCurrent: isCurrent(migrations, attempts),
        })),
      );
      if (isDistributed) {
        checks.push(await checkDistribution(client, { dump: committed, sources: project.distributed }));
      }
    }
    return { place: placeOf(client), checks };
  });
}

interface ObjectOptions {
  readonly dump: readonly DumpObject[];
  /** What was found already, more precisely than drift says it. */
  readonly state: Check;
  /** Whether the database is at exactly the migrations on disk, which the dump shows. */
  readonly isCurrent: boolean;
  readonly isDistributed: boolean;
}

async function checkObjects(
  client: Client,
  { dump, state, isDistributed, isCurrent: current }: ObjectOptions,
): Promise<Check[]> {
  const schemas = [...schemasOf(dump), ...(isDistributed ? [LANES_SCHEMA] : [])];
  const drift = current ? await checkDrift(client, { committed: dump, isDistributed }) : notCompared();
  const surroundings = await checkSurroundings(client, schemas);
  return [
    await checkSpecification(client, { isDistributed }),
    withoutKnown(drift, [state, surroundings]),
    surroundings,
    await checkPrivileges(client, schemas),
    ...(current ? [await checkWallets(client, { isDistributed })] : []),
  ];
}

function isCurrent(migrations: readonly Migration[], attempts: readonly Attempt[] | undefined): boolean {
  const applied = appliedOf(attempts);
  const known = new Set(migrations.map(({ name }) => name));
  return pendingOf(migrations, applied).length === 0 && applied.every(({ name }) => known.has(name));
}

/** Before or beyond the migrations on disk objects cannot be compared. */
function notCompared(): Check {
  const what =
    'the objects were not compared with prisma/schema.sql, which shows the database after all migrations';
  const remedy = 'Look at the findings about the migrations first, then run db:verify again.';
  return { name: 'drift', summary: '', findings: [{ severity: 'notice', what, remedy }] };
}
