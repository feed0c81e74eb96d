import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { expect, test } from 'vitest';
import { runKillTrial } from './kill-trial.ts';

const OPTIONS = { senders: 4, delayMs: 40, concurrency: 8, seed: 'kill-trial.test' };

test('senders that are killed again and again send nothing twice, forget nothing, and every cent is accounted for', async () => {
  await using database = await createTestDatabase();
  const { audit, kills, endedInOrder } = await runKillTrial({
    ...OPTIONS,
    databaseUrl: database.url,
    messages: 1_000,
    seconds: 8,
    carelessOneIn: 5,
  });
  expect(kills).toBe(16);
  expect(audit).toMatchObject({
    rows: 1_000,
    sent: 1_000,
    forgotten: 0,
    repeatedByNobody: 0,
    strangers: 0,
    wrongCosts: 0,
    costsAgree: true,
  });
  // Otherwise the kills met nobody at work, and the trial has shown nothing.
  expect(audit.attemptsLeftUnknown).toBeGreaterThan(0);
  expect(endedInOrder).toBe(4);
});

test('the trial finds a service that sends again what was under way when its sender died', async () => {
  await using database = await createTestDatabase();
  await execute(
    database.url,
    `CREATE OR REPLACE FUNCTION services.expire_sms_leases(p_limit integer) RETURNS integer LANGUAGE sql AS $$
       SELECT set_config('daftari.door', 'open', true);
       WITH again AS (
         UPDATE services.sms_logs SET phase = 'QUEUED', lease_until = NULL
          WHERE phase = 'SENDING' AND lease_until <= clock_timestamp() AT TIME ZONE 'UTC' RETURNING 1
       ) SELECT count(*)::integer FROM again $$`,
  );
  const { audit } = await runKillTrial({
    ...OPTIONS,
    databaseUrl: database.url,
    messages: 1_000,
    seconds: 5,
    carelessOneIn: 0,
  });
  expect(audit.repeatedByNobody).toBeGreaterThan(0);
  expect(audit.costsAgree).toBe(false);
});
