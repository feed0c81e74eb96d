import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bareEnvironment } from '@repo/testing/env';
import { expect, test } from 'vitest';
import { createTestDatabase } from '@repo/postgres/testing';

const FOLDER = join(import.meta.dirname, '..');

test("the README's example runs as written and prints what it says", async () => {
  await using database = await createTestDatabase();
  const readme = await readFile(join(FOLDER, 'README.md'), 'utf8');
  const example = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? '';
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module-typescript', '--eval', example],
    { cwd: FOLDER, env: { ...bareEnvironment(), DATABASE_URL: database.url } },
  );
  expect(stdout).toBe('credited, duplicate\n');
});
