import { expect, test } from 'vitest';
import { execute } from './database.ts';
import { startServer } from './server.ts';
import { startStandby } from './standby.ts';

test('a standby has what its primary writes, takes no writes itself, and can be paused and promoted', async () => {
  await using primary = await startServer({ durable: false });
  await execute(primary.url, 'CREATE TABLE kept AS SELECT 1 AS id');
  await using standby = await startStandby(primary, { durable: false, isSynchronous: true });
  await execute(primary.url, 'SET synchronous_commit = remote_apply; INSERT INTO kept VALUES (2)');
  expect(await execute(standby.url, 'SELECT max(id) AS most FROM kept')).toEqual([{ most: 2 }]);
  await expect(execute(standby.url, 'INSERT INTO kept VALUES (3)')).rejects.toMatchObject({ code: '25006' });

  await standby.pause();
  await execute(primary.url, 'INSERT INTO kept VALUES (4)');
  expect(await execute(standby.url, 'SELECT max(id) AS most FROM kept')).toEqual([{ most: 2 }]);
  await standby.resume();

  await primary.kill();
  await standby.promote();
  await execute(standby.url, 'INSERT INTO kept VALUES (5)');
  expect(await execute(standby.url, 'SELECT count(*)::int AS n FROM kept')).toEqual([{ n: 4 }]);
});
