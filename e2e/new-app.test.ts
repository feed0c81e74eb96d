import { execFile } from 'node:child_process';
import { copyFile, mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createDb } from '@repo/db';
import { writeAppFiles } from '@repo/new-app/app-files';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT } from './env.ts';

const run = promisify(execFile);

/** A place in which an app's files find what they find in `apps/`. */
const place = join(ROOT, 'e2e', `new-app-${String(process.pid)}`);
const folder = join(place, 'apps', 'loan-desk');

beforeAll(async () => {
  await mkdir(join(place, 'apps'), { recursive: true });
  await copyFile(join(ROOT, 'tsconfig.base.json'), join(place, 'tsconfig.base.json'));
  await writeAppFiles(ROOT, folder, { name: 'loan-desk', port: 4_009 });
  await symlink(join(ROOT, 'apps', 'mpesa', 'node_modules'), join(folder, 'node_modules'));
});

afterAll(() => rm(place, { recursive: true }));

/** What a tool of the repository says when it ends with an error; nothing when it finds nothing. */
async function complaintsOf(tool: string, parameters: readonly string[]): Promise<string> {
  const program = join(ROOT, 'node_modules', '.bin', tool);
  return run(program, parameters, { cwd: ROOT }).then(
    () => '',
    (error: { readonly stdout: string; readonly stderr: string }) => error.stdout + error.stderr,
  );
}

it('the files of a new app pass the compiler', async () => {
  expect(await complaintsOf('tsc', ['-p', folder])).toBe('');
});

it('the files of a new app pass the linter', async () => {
  expect(await complaintsOf('oxlint', ['--type-aware', join(folder, 'src')])).toBe('');
});

it('the sources of a new app are formatted', async () => {
  expect(await complaintsOf('prettier', ['--check', '--log-level=warn', join(folder, 'src')])).toBe('');
});

it('a new app builds its server, whose health can be asked for', async () => {
  const { createApp } = (await import(join(folder, 'src', 'app.ts'))) as {
    createApp: (deps: object) => Promise<{
      app: { inject(path: string): Promise<{ statusCode: number }>; close(): Promise<void> };
    }>;
  };
  const db = createDb({ url: 'postgresql://127.0.0.1:1/none' });
  const { app } = await createApp({ db, settings: { apiKey: 'test-key', logLevel: 'silent' } });
  expect((await app.inject('/health/live')).statusCode).toBe(200);
  await app.close();
  await db.close();
});
