import { expect, test } from 'vitest';
import { openOwnDatabase } from './database.ts';
import { readSettings } from './env.ts';

test('a server that cannot be reached is named by its setting, with what to do, and without its password', async () => {
  const settings = { ...readSettings(), databaseUrl: 'postgresql://nobody:hunter2@127.0.0.1:1/none' };
  const failure = openOwnDatabase(settings);
  await expect(failure).rejects.toMatchObject({ code: 'database_unusable' });
  await expect(failure).rejects.toThrow(/127\.0\.0\.1:1.*correct DATABASE_URL/);
  await expect(failure).rejects.not.toThrow(/hunter2/);
});
