import { expect, test } from 'vitest';
import { followReads } from './reads.ts';
import { startTestServer } from '../testing.ts';

type State = 'replica' | 'away' | 'late' | 'other';

/** A replica whose state the test decides. */
function replica() {
  const listeners: ((state: State) => void)[] = [];
  let found: { readonly state: State; readonly lagMs: number | null } = { state: 'replica', lagMs: 250 };
  return {
    answered: { replica: 7, primary: 2 },
    look: () => Promise.resolve(found),
    onChange: (listener: (state: State) => void) => void listeners.push(listener),
    become(state: State, lagMs: number | null): void {
      found = { state, lagMs };
      for (const listener of listeners) listener(state);
    },
  };
}

test('the metrics show what the replica is, how late it is while that is known, and who answers', async () => {
  const reads = replica();
  await using service = await startTestServer((server) => void followReads(server, reads));
  const { metrics } = service.server;
  const shown = async (): Promise<string> => (await metrics.metrics()).replaceAll(/,?service="[^"]*",?/g, '');
  expect(await shown()).toContain('database_replica_state{state="replica"} 1');
  expect(await shown()).toContain('database_replica_lag_seconds{} 0.25');
  expect(await shown()).toContain('database_reads_total{server="replica"} 7');
  expect(await shown()).toContain('database_reads_total{server="primary"} 2');
  reads.become('away', null);
  const after = await shown();
  expect(after).toContain('database_replica_state{state="away"} 1');
  expect(after).toContain('database_replica_state{state="replica"} 0');
  expect(after).not.toMatch(/^database_replica_lag_seconds/m);
});

test('the log says once for each change who answers', async () => {
  const reads = replica();
  await using service = await startTestServer((server) => void followReads(server, reads));
  reads.become('late', 9_000);
  reads.become('replica', 0);
  const said = service.lines.map(
    (line) => JSON.parse(line) as { level: string; msg: string; replica?: string },
  );
  expect(said.filter((line) => line.replica !== undefined)).toMatchObject([
    { level: 'warn', replica: 'late', msg: expect.stringContaining('read from the primary') },
    { level: 'info', replica: 'replica', msg: 'lists and reports are read from the replica' },
  ]);
});
