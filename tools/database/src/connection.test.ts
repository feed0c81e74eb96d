import { createServer } from 'node:net';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, inject, it } from 'vitest';
import { historySchema, withConnection } from './connection.ts';

function failureOf(url: string): Promise<unknown> {
  return withConnection(url, () => Promise.resolve('connected')).catch((error: unknown) => error);
}

describe('a connection that cannot be had', () => {
  it('says that there is no such database, and what makes it', async () => {
    const url = new URL(inject('postgres').serverUrl);
    url.pathname = '/nowhere';
    expect(await failureOf(url.href)).toMatchObject({
      code: 'DATABASE_ABSENT',
      message: expect.stringContaining('db:deploy'),
    });
  });

  it('says that the server does not answer', async () => {
    const server = createServer();
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', resolve);
    await promise;
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    await server[Symbol.asyncDispose]();
    expect(await failureOf(`postgresql://someone:sesame@127.0.0.1:${port}/daftari`)).toMatchObject({
      code: 'DATABASE_UNREACHABLE',
      message: expect.not.stringContaining('sesame'),
    });
  });

  it.each(['127.0.0.1:5432', 'mysql://user:sesame@host/db', 'postgresql://user:ses/ame@host/db', ''])(
    'says that the URL is invalid, and does not repeat it: %s',
    async (url) => {
      const failure = await failureOf(url);
      expect(failure).toMatchObject({ code: 'URL_INVALID' });
      expect(String(failure)).not.toContain('ame@');
    },
  );
});

describe('a connection string', () => {
  it('names the schema of Prisma’s history as Prisma reads it', () => {
    expect(historySchema('postgresql://h/d')).toBe('public');
    expect(historySchema('postgresql://h/d?schema=core&connection_limit=1')).toBe('core');
  });

  it('with Prisma’s own parameters is good for the driver, too', async () => {
    await using database = await createTestDatabase({ empty: true });
    const url = `${database.url}?schema=public&connection_limit=5&pgbouncer=true&pool_timeout=3`;
    const { rows } = await withConnection(url, (client) => client.query('SELECT 1 AS one'));
    expect(rows).toEqual([{ one: 1 }]);
  });
});
