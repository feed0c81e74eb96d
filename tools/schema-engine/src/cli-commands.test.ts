import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { DatabaseOwner } from './fixtures/database-owner.ts';
import { LAUNCHER } from './fixtures/engine-client.ts';
import { command, launch } from './fixtures/launch.ts';

const run = (url: string, name: string) => launch([LAUNCHER, ...command(url, name)]);

describe('the cli sub-commands', () => {
  it('say something before an error, as the CLI throws the first line away', async () => {
    await using owner = await DatabaseOwner.create();
    const { exitCode, log } = await run(owner.url('no_such_database'), 'can-connect-to-database');
    expect(log.map(({ level, target }) => `${level} ${target}`)).toEqual([
      'INFO schema_engine',
      'ERROR schema_engine::logger',
    ]);
    expect(log[1]?.fields).toMatchObject({ error_code: 'P1003', is_panic: false });
    expect(exitCode).toBe(1);
  });

  it('create a database, whatever its name, and drop it', async () => {
    await using owner = await DatabaseOwner.create();
    const name = owner.databaseName('Ein "Name"; --');
    const url = owner.url('x').replace(/x$/, encodeURIComponent(name));
    expect(await run(url, 'create-database')).toMatchObject({ exitCode: 0 });
    expect(await owner.databases()).toEqual([name]);
    expect(await run(url, 'create-database')).toMatchObject({ exitCode: 0 });
    expect(await run(url, 'drop-database')).toMatchObject({ exitCode: 0 });
    expect(await owner.databases()).toEqual([]);
  });

  it('tell why a database cannot be created', async () => {
    await using owner = await DatabaseOwner.create();
    await owner.asAdministrator(`ALTER ROLE ${owner.name} NOCREATEDB`);
    const { exitCode, log } = await run(owner.url('new_one'), 'create-database');
    expect(log.at(-1)?.fields).toMatchObject({
      error_code: 'P3000',
      message: expect.stringContaining('permission denied to create database'),
    });
    expect(exitCode).toBe(1);
  });

  it('refuse a command that does not exist', async () => {
    const { exitCode, log } = await run('postgresql://localhost/any', 'no-such-command');
    expect(log.at(-1)?.fields.message).toContain('no-such-command');
    expect(exitCode).toBe(1);
  });

  it('take a server that speaks another protocol for one that cannot be reached', async () => {
    const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { log } = await run(
      `postgresql://u:p@127.0.0.1:${port}/any?sslmode=disable`,
      'can-connect-to-database',
    );
    server.close();
    expect(log.at(-1)?.fields.error_code).toBe('P1001');
  });
});

describe('--version', () => {
  it('names the engine', async () => {
    const { exitCode } = await launch([LAUNCHER, '--version']);
    expect(exitCode).toBe(0);
  });
});
