import { hasCitus } from '@repo/postgres/citus';
import { execute } from '@repo/postgres/database';
import { startTestNodes } from '@repo/postgres/test-nodes';
import type { TestNodes } from '@repo/postgres/test-nodes';
import { createTestDatabase } from '@repo/postgres/testing';
import { until } from '@repo/testing/until';
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
  expect(faults).toContain('a payment is not recorded once');
  expect(faults).toContain('a wallet has another balance');
});

/** Transactions of a node that are prepared and wait for the node that began them. */
const PREPARED = 'SELECT count(*)::int AS n FROM pg_prepared_xacts';

/** Kills each node at its work and starts it again, one after the other. */
async function killEach({ url, coordinator, workers, restart }: TestNodes): Promise<void> {
  const count = async () =>
    Number((await execute(url, 'SELECT count(*)::int AS n FROM core.transactions'))[0]?.['n']);
  for (const node of [...workers, coordinator]) {
    const before = await count();
    await until('money to move over all nodes', count, { isFit: (now) => now > before + 10 });
    await node.kill();
    await restart(node);
  }
}

test.skipIf(!hasCitus)(
  'nodes of the database are killed as well and started again: nothing is lost, and what they had prepared is finished',
  async () => {
    await using nodes = await startTestNodes(2, { 'citus.recover_2pc_interval': '1s' });
    const { faults } = await runMoneyTrial({
      urls: nodes.urls,
      seed: 'money-trial.test-nodes',
      count: 90,
      pauseMs: [1_500, 3_000],
      disturb: () => killEach(nodes),
    });
    expect(faults).toEqual([]);
    for (const url of nodes.urls) {
      await until('what was prepared to be finished by itself', () => execute(url, PREPARED), {
        isFit: ([row]) => row?.['n'] === 0,
      });
    }
  },
);
