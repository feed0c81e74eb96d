import { createApiKey } from '@repo/db';
import { expect, test } from 'vitest';
import { startTestService } from './testing.ts';

test('a key made for reading reads the metrics', async () => {
  await using service = await startTestService();
  const { key } = await createApiKey(service.db, { name: 'Prometheus', scopes: ['read'] });
  const headers = { authorization: `Bearer ${key}` };
  const response = await fetch(`${service.url}/metrics`, { headers });
  expect(response.status).toBe(200);
  expect(await response.text()).toContain('http_request_duration_seconds');
});

test('the service is ready on its own schema only, and says what is wrong with another', async () => {
  await using service = await startTestService();
  const ready = async () => {
    const response = await fetch(`${service.url}/health/ready`);
    const { reason } = (await response.json()) as { reason?: string };
    return [response.status, reason];
  };
  expect(await ready()).toEqual([200, undefined]);
  await service.database.query(`UPDATE public._prisma_migrations SET migration_name = '9' || migration_name
    WHERE migration_name = (SELECT max(migration_name) FROM public._prisma_migrations)`);
  expect(await ready()).toEqual([503, 'schema_outdated']);
  await service.database
    .query(`INSERT INTO public._prisma_migrations (id, migration_name, checksum, finished_at)
    SELECT 'own', substr(migration_name, 2), checksum, finished_at FROM public._prisma_migrations WHERE migration_name LIKE '9%'`);
  expect(await ready()).toEqual([503, 'schema_newer']);
  expect((await fetch(`${service.url}/health/live`)).status).toBe(200);
});
