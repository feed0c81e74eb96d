import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { databaseUrl } from '@repo/postgres/database';
import { openDevelopmentServer } from '@repo/postgres/server';
import { bareEnvironment } from '@repo/testing/env';
import { describe, expect, it } from 'vitest';
import { createCheckout } from './checkout.ts';
import { ROOT } from './env.ts';

const run = promisify(execFile);
const APPS = ['mpesa', 'sms', 'wallet'];

// Sources that came without their history cannot be checked out again.
describe.runIf(existsSync(join(ROOT, '.git')))('a checkout', () => {
  it('with core.autocrlf has the line ends of ours, and the Prisma CLI runs in it', async () => {
    await using checkout = await createCheckout(['tools/schema-engine']);
    const { folder } = checkout;
    const { stdout: wrong } = await run('grep', ['-rlIP', '\\r$', folder]).catch(
      (error: { code?: unknown }) => {
        // What grep says when it finds nothing.
        if (error.code !== 1) throw error;
        return { stdout: '' };
      },
    );
    expect(wrong).toBe('');
    // It starts the schema engine, whose first line names its interpreter.
    const diff = ['migrate', 'diff', '--from-empty', '--to-schema', 'prisma/schema', '--script'];
    const { stdout } = await run(join(folder, 'node_modules/.bin/prisma'), diff, { cwd: folder });
    expect(stdout).toContain('CREATE TABLE "core"."wallets"');
  });

  it('has services whose start scripts read .env, and the environment before it', async () => {
    await using checkout = await createCheckout(APPS.map((app) => `apps/${app}`));
    const { folder } = checkout;
    const settings = ['NODE_ENV=production', 'DATABASE_URL=postgresql://127.0.0.1:1/none', 'API_KEY=x'];
    await writeFile(join(folder, '.env'), settings.join('\n'));
    for (const app of APPS) {
      const said = await startService(join(folder, 'apps', app), {});
      expect(said, app).toMatch(/API_KEY +is not valid/);
      expect(said, app).not.toContain('DATABASE_URL');
      const again = await startService(join(folder, 'apps', app), { DATABASE_URL: 'none' });
      expect(again, app).toMatch(/DATABASE_URL +is not valid/);
    }
  });

  it('has a db:url for the development database while that runs, and words on how to start it otherwise', async () => {
    await using checkout = await createCheckout(['tools/database']);
    const { folder } = checkout;
    const down = await runUrl(folder);
    expect(down).toMatchObject({ code: 1, stdout: '' });
    expect(down.stderr).toContain('npm run dev');
    await using server = await openDevelopmentServer(folder);
    const url = `${databaseUrl(server.url, 'daftari')}\n`;
    expect(await runUrl(folder)).toEqual({ code: 0, stdout: url, stderr: '' });
  });
});

/** db:url of a checkout, whose development database is its own. */
async function runUrl(folder: string) {
  const env = { ...process.env, DATABASE_URL: '' };
  const child = spawn(process.execPath, ['tools/database/src/url.ts'], { cwd: folder, env });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { code: code as number | null, stdout, stderr };
}

/** Runs a service's start script, which cannot succeed with these settings, and returns what it says. */
async function startService(folder: string, settings: Readonly<Record<string, string>>): Promise<string> {
  const { scripts } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
    scripts: { start: string };
  };
  const PATH = `${join(folder, '../../node_modules/.bin')}:/usr/bin:/bin`;
  const child = spawn('sh', ['-c', scripts.start], {
    cwd: folder,
    env: { ...bareEnvironment(), PATH, ...settings },
  });
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  expect(code).toBe(78);
  return said;
}
