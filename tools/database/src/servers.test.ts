import { startServer } from '@repo/postgres/server';
import { startStandby } from '@repo/postgres/standby';
import { createTestDatabase } from '@repo/postgres/testing';
import { expect, it } from 'vitest';
import { runCommandLine } from './fixtures/run-command.ts';

/** The address of a database behind that of a server where nobody listens. */
function behindNobody(url: string): string {
  const { username, password, host, pathname } = new URL(url);
  const servers = `127.0.0.1:1,${host}`;
  return `postgresql://${username}:${password}@${servers}${pathname}?target_session_attrs=read-write`;
}

it('deploys and verifies the primary of a list of servers', async () => {
  await using database = await createTestDatabase({ empty: true });
  const url = behindNobody(database.url);
  const deployed = await runCommandLine('deploy', url);
  expect(deployed.exitCode, deployed.stdout + deployed.stderr).toBe(0);
  expect(await runCommandLine('verify', url)).toMatchObject({ exitCode: 0 });
});

it('says of a list without a primary what answered instead', async () => {
  await using primary = await startServer({ durable: false });
  await using standby = await startStandby(primary, { durable: false });
  const { exitCode, stdout, stderr } = await runCommandLine('deploy', behindNobody(standby.url));
  expect(exitCode).toBe(1);
  expect(stdout + stderr).toContain(
    'the server is a standby and takes no writes, and target_session_attrs is read-write',
  );
});
