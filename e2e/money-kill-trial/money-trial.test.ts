import { createTestDatabase } from '@repo/postgres/testing';
import { expect, test } from 'vitest';
import { runMoneyTrial } from './money-trial.ts';

test('processes are killed while deposits, transfers and payments flow, and each cent is where it belongs', async () => {
  await using database = await createTestDatabase();
  const { kills, faults } = await runMoneyTrial({
    urls: database.urls,
    seed: 'money-trial.test',
    count: 60,
    pauseMs: [300, 900],
  });
  expect(faults).toEqual([]);
  // Otherwise the trial was a quiet one, and has shown nothing.
  expect(kills).toBeGreaterThan(3);
});

test('the trial finds one deposit that is lost, and one cent that nobody moved', async () => {
  await using database = await createTestDatabase();
  const { faults } = await runMoneyTrial({
    urls: database.urls,
    seed: 'money-trial.test',
    count: 12,
    // What is killed is beside the point here.
    pauseMs: [600_000, 600_000],
    disturb: async () => {
      await database.query(
        `SET session_replication_role = replica;
         DELETE FROM services.mpesa_logs WHERE id = (SELECT id FROM services.mpesa_logs ORDER BY id LIMIT 1);
         UPDATE core.wallets SET balance = balance + 0.01 WHERE id = (SELECT id FROM core.wallets WHERE kind = 'CUSTOMER' LIMIT 1);
         SET session_replication_role = origin`,
      );
    },
  });
  expect(faults).toContainEqual(expect.stringContaining('a payment is not recorded once'));
  expect(faults).toContain('a wallet has another balance');
});
