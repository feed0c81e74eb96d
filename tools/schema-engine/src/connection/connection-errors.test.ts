import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { DatabaseOwner } from '../fixtures/database-owner.ts';
import { EngineClient } from '../fixtures/engine-client.ts';
import { PrismaProject } from '../fixtures/prisma-project.ts';

/** A port on which nobody listens: one that the system has just given and taken back. */
async function unusedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}

async function statusOf(databaseUrl: string): Promise<{ output: string; exitCode: number | null }> {
  await using project = await PrismaProject.create({ databaseUrl });
  return await project.prisma('migrate', 'status');
}

describe("Prisma's own codes", () => {
  it('P1000 for a wrong password, without repeating it', async () => {
    await using owner = await DatabaseOwner.create();
    const url = new URL(await owner.createDatabase());
    url.password = 'wr0ng-one';
    const { output, exitCode } = await statusOf(url.href);
    expect(output).toContain('P1000');
    expect(output).not.toContain('wr0ng-one');
    expect(exitCode).toBe(1);
  });

  it('P1001 when no server listens', async () => {
    const { output, exitCode } = await statusOf(
      `postgresql://user:secret@127.0.0.1:${await unusedPort()}/any`,
    );
    expect(output).toContain('P1001');
    expect(output).not.toContain('secret');
    expect(exitCode).toBe(1);
  });

  it('P1003 when the database does not exist', async () => {
    await using owner = await DatabaseOwner.create();
    const { output, exitCode } = await statusOf(owner.url('no_such_database'));
    expect(output).toContain('P1003');
    expect(output).toContain('no_such_database');
    expect(exitCode).toBe(1);
  });

  it('P1003 also from the engine itself, which the CLI asks at once in some commands', async () => {
    await using owner = await DatabaseOwner.create();
    await using engine = EngineClient.on(owner.url('no_such_database'));
    for (const method of ['getDatabaseVersion', 'dbExecute', 'introspectSql']) {
      const { failure } = await engine.call(method, { script: 'SELECT 1', queries: [] });
      expect(failure).toMatchObject({ error_code: 'P1003', is_panic: false });
    }
  });

  it('P1010 when the user may not connect to the database', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await owner.asAdministrator(`ALTER DATABASE ${owner.databaseName('main')} OWNER TO CURRENT_USER`);
    await owner.asAdministrator(`REVOKE CONNECT ON DATABASE ${owner.databaseName('main')} FROM PUBLIC`);
    const { output } = await statusOf(databaseUrl);
    await owner.asAdministrator(`ALTER DATABASE ${owner.databaseName('main')} OWNER TO ${owner.name}`);
    expect(output).toContain('P1010');
  });

  it('P1013 for a password with characters that must be encoded, without repeating it', async () => {
    const { output } = await statusOf('postgresql://user:se#cret@localhost/any');
    expect(output).toContain('P1013');
  });

  it('P3014 when the user may not create a shadow database', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await owner.asAdministrator(`ALTER ROLE ${owner.name} NOCREATEDB`);
    await using project = await PrismaProject.create({ databaseUrl });
    const { output } = await project.prisma('migrate', 'dev', '--name', 'any');
    expect(output).toContain('P3014');
    expect(output).toContain('permission denied to create database');
  });
});

describe('a password with special characters', () => {
  it('works percent-encoded', async () => {
    await using owner = await DatabaseOwner.create();
    const url = new URL(await owner.createDatabase());
    const password = `p@ss/w#rd?%20&'"é:`;
    await owner.asAdministrator(`ALTER ROLE ${owner.name} PASSWORD '${password.replaceAll("'", "''")}'`);
    url.password = encodeURIComponent(password);
    expect((await statusOf(url.href)).output).toContain('not managed by Prisma Migrate');
  });
});
