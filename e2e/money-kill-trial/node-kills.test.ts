import { hasCitus } from '@repo/postgres/citus';
import { execute } from '@repo/postgres/database';
import { startTestNodes } from '@repo/postgres/test-nodes';
import type { TestNodes } from '@repo/postgres/test-nodes';
import { until } from '@repo/testing/until';
import { expect, test } from 'vitest';
import { runMoneyTrial } from './money-trial.ts';

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
  },
);
