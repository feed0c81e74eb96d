import { createDb, recordDeposits, transfer } from '@repo/db';
import type { Db } from '@repo/db';
import { hasCitus, startCitus } from '@repo/postgres/citus';
import { execute } from '@repo/postgres/database';
import { until } from '@repo/testing/until';
import { describe, expect, it } from 'vitest';
import { depositTo } from '../fixtures/both-forms.ts';
import { applyPending, numberOf } from '../fixtures/databases.ts';
import { faultsOf } from '../fixtures/faults.ts';
import { codeOf, findingsOf, moveMoney, openWalletsApart } from '../fixtures/over-nodes.ts';
import { repository } from '../fixtures/temporary-project.ts';
import { withConnection } from '../connection.ts';
import { checkNodes } from '../verify/nodes.ts';
import { distributeDatabase } from './distribute-database.ts';

const PREPARED = 'SELECT count(*) AS n FROM pg_prepared_xacts';
const MOVES = `SELECT count(*) AS n FROM core.transactions WHERE idempotency_key LIKE 'move-%'`;

describe.skipIf(!hasCitus)('what was prepared and is never finished', { timeout: 300_000 }, () => {
  it('is found by db:verify on the node where it is', async () => {
    await using cluster = await startCitus({ workers: 1 });
    const [worker] = cluster.workers;
    const [url = ''] = cluster.workerUrls;
    await execute(cluster.url, `SELECT citus_add_node('127.0.0.1', ${String(worker?.port)})`);
    const look = () => withConnection(cluster.url, (client) => checkNodes(client, '0 seconds'));
    expect((await look()).findings).toEqual([]);
    await execute(url, `BEGIN; CREATE TABLE half_done (); PREPARE TRANSACTION 'half'`);
    expect((await look()).findings.map(({ what }) => what)).toEqual([
      `on the node 127.0.0.1:${String(worker?.port)} 1 transactions were prepared long ago, and hold their locks`,
    ]);
    await execute(url, `ROLLBACK PREPARED 'half'`);
    expect((await look()).findings).toEqual([]);
  });
});

describe.skipIf(!hasCitus)('a worker whose standby takes over', { timeout: 300_000 }, () => {
  it('takes nothing back that was acknowledged, and leaves nothing half done', async () => {
    await using cluster = await startCitus({ workers: 2, settings: { 'citus.recover_2pc_interval': '1s' } });
    await applyPending(cluster.url, repository.migrations);
    const workers = cluster.workers.map(({ port }) => ({ host: '127.0.0.1', port }));
    await distributeDatabase({ url: cluster.url, sources: repository.distributed, workers });
    const [lost] = cluster.workers;
    if (lost === undefined) throw new RangeError('two workers were asked for');
    const standby = await cluster.startStandby(lost);
    // Clients of the worker that is lost would look for another node by themselves: these ask the others.
    const urls = [cluster.url, cluster.workerUrls[1] ?? ''];
    const dbs = urls.map((url) => createDb({ url, maxConnections: 3 }));
    const [db] = dbs as [Db];
    try {
      const wallets = await openWalletsApart(db, cluster.url);
      await recordDeposits(
        db,
        [...wallets, ...wallets, ...wallets].map((number) => depositTo(number)),
      );
      await using moves = moveMoney(wallets, dbs);
      await until('transactions over nodes', () => numberOf(cluster.workerUrls[0] ?? '', PREPARED), {
        isFit: (count) => count > 0,
      });
      await lost.kill();
      await until('transfers are refused', () => moves.failed.length > 0);
      expect(await faultsOf(cluster.url)).toEqual([
        `the node 127.0.0.1:${String(lost.port)} does not answer`,
      ]);
      await standby.promote();
      await execute(
        cluster.url,
        `SELECT citus_update_node(nodeid, '127.0.0.1', ${String(standby.port)}) FROM pg_dist_node WHERE nodeport = ${String(lost.port)}`,
      );
      const then = moves.done.length;
      await until('money moves again', () => moves.done.length > then + 20);
      await moves.end();
      for (const url of [...urls, standby.url]) {
        await until('what was prepared to be finished by itself', () => numberOf(url, PREPARED), {
          isFit: (count) => count === 0,
        });
      }
      for (const request of moves.failed) expect(await codeOf(transfer(db, request))).toBe('done');
      expect(await numberOf(cluster.url, MOVES)).toBe(moves.done.length + moves.failed.length);
      expect(await findingsOf(db)).toEqual([]);
      expect(await faultsOf(cluster.url)).toEqual([]);
    } finally {
      await Promise.all(dbs.map((each) => each.close()));
    }
  });
});
