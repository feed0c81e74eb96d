import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execute } from '@repo/postgres/database';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { projectAt } from './project.ts';
import { openTarget } from './target.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('the database that a command works on', () => {
  it('is the one of DATABASE_URL', async () => {
    vi.stubEnv('DATABASE_URL', 'postgresql://someone@elsewhere/daftari');
    await using target = await openTarget(projectAt());
    expect(target.url).toBe('postgresql://someone@elsewhere/daftari');
  });

  it('is otherwise on the development server, which is stopped when the command ends', async () => {
    vi.stubEnv('DATABASE_URL', '');
    const root = await mkdtemp(join(tmpdir(), 'migrate-target-'));
    try {
      const target = await openTarget(projectAt(root));
      const url = new URL(target.url);
      expect(url.pathname).toBe('/daftari');
      url.pathname = '/postgres';
      expect(await execute(url.href, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      await target[Symbol.asyncDispose]();
      await expect(execute(url.href, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
