import { hasCitus } from '@repo/postgres/citus';
import { startTestNodes } from '@repo/postgres/test-nodes';
import { expect, test } from 'vitest';
import { runKillTrial } from './kill-trial.ts';

test.skipIf(!hasCitus)(
  'senders that are killed on a coordinator and two workers send nothing twice, forget nothing, and every cent is accounted for',
  { timeout: 300_000 },
  async () => {
    await using cluster = await startTestNodes(2, {});
    const { audit, kills, endedInOrder } = await runKillTrial({
      databaseUrl: cluster.url,
      nodes: cluster.urls,
      messages: 500,
      senders: 4,
      seconds: 6,
      delayMs: 40,
      concurrency: 8,
      carelessOneIn: 5,
      seed: 'node-kill-trial.test',
    });
    expect(kills).toBe(12);
    expect(audit).toMatchObject({
      rows: 500,
      sent: 500,
      forgotten: 0,
      repeatedByNobody: 0,
      strangers: 0,
      wrongCosts: 0,
      costsAgree: true,
    });
    expect(audit.attemptsLeftUnknown).toBeGreaterThan(0);
    expect(endedInOrder).toBe(4);
  },
);
