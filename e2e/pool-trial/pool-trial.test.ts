import { hasPgBouncer } from '@repo/postgres/pgbouncer';
import { createTestDatabase } from '@repo/postgres/testing';
import { expect, test } from 'vitest';
import { runPoolTrial } from './pool-trial.ts';

test.skipIf(!hasPgBouncer)(
  'two processes of each service share three connections behind PgBouncer, two are killed, and each thing is done once',
  async () => {
    await using database = await createTestDatabase();
    const report = await runPoolTrial({
      databaseUrl: database.url,
      size: { mpesa: 2, wallet: 2, sms: 2 },
      connections: 4,
      poolSize: 3,
      customers: 12,
      rounds: 3,
      kills: 1,
      seed: 'pool-trial.test',
      say: () => undefined,
    });
    expect(report).toMatchObject({ processes: 6, killed: 2, payments: 36, transfers: 36, faults: [] });
    // Otherwise nothing was shared.
    expect(report.connections.clients).toBeGreaterThan(report.connections.server);
    expect(report.connections.server).toBeLessThanOrEqual(3);
  },
);
