import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { DatabaseOwner } from '../fixtures/database-owner.ts';
import { EngineClient, LAUNCHER, applyInput } from '../fixtures/engine-client.ts';
import { command, launch } from '../fixtures/launch.ts';
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

/** What the engine says when the CLI has it look for the database, as it does before most commands. */
async function foundOf(
  databaseUrl: string,
): Promise<{ message: string | undefined; code: string | undefined }> {
  const { log } = await launch([LAUNCHER, ...command(databaseUrl, 'can-connect-to-database')]);
  const fields = log.at(-1)?.fields;
  return { message: fields?.message, code: fields?.error_code };
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
    const { code, message } = await foundOf(`postgresql://user:secret@127.0.0.1:${await unusedPort()}/any`);
    expect(code).toBe('P1001');
    expect(message).not.toContain('secret');
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
    const { code } = await foundOf(databaseUrl);
    await owner.asAdministrator(`ALTER DATABASE ${owner.databaseName('main')} OWNER TO ${owner.name}`);
    expect(code).toBe('P1010');
  });

  it('P1013 for a password with characters that must be encoded, without repeating it', async () => {
    const { code, message } = await foundOf('postgresql://user:se#cret@localhost/any');
    expect(code).toBe('P1013');
    expect(message).not.toContain('cret');
  });

  it('P3014 when the user may not create a shadow database', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await owner.asAdministrator(`ALTER ROLE ${owner.name} NOCREATEDB`);
    await using engine = EngineClient.on(databaseUrl);
    expect((await engine.call('devDiagnostic', applyInput({}))).failure).toMatchObject({
      error_code: 'P3014',
      message: expect.stringContaining('permission denied to create database'),
    });
  });
});

describe('a password with special characters', () => {
  it('works percent-encoded', async () => {
    await using owner = await DatabaseOwner.create();
    const url = new URL(await owner.createDatabase());
    const password = `p@ss/w#rd?%20&'"é:`;
    await owner.asAdministrator(`ALTER ROLE ${owner.name} PASSWORD '${password.replaceAll("'", "''")}'`);
    url.password = encodeURIComponent(password);
    expect((await foundOf(url.href)).message).toBe('Connection successful');
  });
});
