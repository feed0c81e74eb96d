import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { commandEnvironment } from './env.ts';
import { DatabaseOwner } from './fixtures/database-owner.ts';
import { LAUNCHER } from './fixtures/engine-client.ts';
import { command, launch } from './fixtures/launch.ts';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));

/** To the launcher, a Node that must not run TypeScript is the same as an old one. */
const OLD_NODE = ['--no-strip-types'];

const CAN_CONNECT = 'can-connect-to-database';

describe('the launcher', () => {
  it('runs the engine in its own process where Node can', async () => {
    await using owner = await DatabaseOwner.create();
    const { exitCode, log } = await launch([LAUNCHER, ...command(await owner.createDatabase(), CAN_CONNECT)]);
    expect(log.at(-1)?.fields.message).toBe('Connection successful');
    expect(exitCode).toBe(0);
  });

  it('starts the engine again under the Node that the operator names when its own is too old', async () => {
    await using owner = await DatabaseOwner.create();
    const args = [...OLD_NODE, LAUNCHER, ...command(await owner.createDatabase(), CAN_CONNECT)];
    const { exitCode, log } = await launch(args, { SCHEMA_ENGINE_NODE: process.execPath });
    expect(log.at(-1)?.fields.message).toBe('Connection successful');
    expect(exitCode).toBe(0);
  });

  it('passes the exit code and the error of the engine that it started on', async () => {
    await using owner = await DatabaseOwner.create();
    const args = [...OLD_NODE, LAUNCHER, ...command(owner.url('no_such_database'), CAN_CONNECT)];
    const { exitCode, log } = await launch(args, { SCHEMA_ENGINE_NODE: process.execPath });
    expect(log.at(-1)).toMatchObject({ level: 'ERROR', fields: { error_code: 'P1003' } });
    expect(exitCode).toBe(1);
  });

  it('passes signals on to the engine that it started', async () => {
    const env = { ...commandEnvironment(), SCHEMA_ENGINE_NODE: process.execPath };
    const child = spawn(process.execPath, [...OLD_NODE, LAUNCHER], { env });
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'any' })}\n`);
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('says what to do when it finds no Node that will do', async () => {
    const { exitCode, log } = await launch([
      ...OLD_NODE,
      LAUNCHER,
      ...command('postgresql://localhost/any', CAN_CONNECT),
    ]);
    expect(log.at(-1)?.fields.message).toContain('set SCHEMA_ENGINE_NODE');
    expect(exitCode).toBe(1);
  });

  it('says what to do when the Node that the operator names is not there, or too old as well', async () => {
    const absent = await launch([...OLD_NODE, LAUNCHER], { SCHEMA_ENGINE_NODE: '/no/such/node' });
    expect(absent.log.at(-1)?.fields.message).toContain('/no/such/node');
    expect(absent.exitCode).toBe(1);

    const old = { SCHEMA_ENGINE_NODE: process.execPath, NODE_OPTIONS: OLD_NODE.join(' ') };
    const tooOld = await launch([LAUNCHER], old);
    expect(tooOld.log.at(-1)?.fields.message).toContain('needs Node 22.18 or newer');
    expect(tooOld.exitCode).toBe(1);
  });

  it('runs the engine also when the package is installed below node_modules', async () => {
    await using owner = await DatabaseOwner.create();
    const folder = await mkdtemp(join(tmpdir(), 'installed-engine-'));
    const installed = join(folder, 'node_modules', 'engine');
    await mkdir(installed, { recursive: true });
    for (const part of ['bin', 'src', 'package.json'])
      await cp(join(PACKAGE, part), join(installed, part), { recursive: true });
    await symlink(join(PACKAGE, 'node_modules'), join(installed, 'node_modules'));

    const launcher = join(installed, 'bin', 'schema-engine.mjs');
    const { exitCode, log } = await launch([launcher, ...command(await owner.createDatabase(), CAN_CONNECT)]);
    await rm(folder, { recursive: true });
    expect(log.at(-1)?.fields.message).toBe('Connection successful');
    expect(exitCode).toBe(0);
  });
});
