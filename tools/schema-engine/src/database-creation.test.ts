import { connectTo } from '@repo/database-url';
import { expect, it } from 'vitest';
import { Connection } from './connection/connection.ts';
import { parseConnectionUrl } from './connection/connection-url.ts';
import { dropWithSessions } from './database-creation.ts';
import { DatabaseOwner } from './fixtures/database-owner.ts';

it('a database is dropped by its owner as soon as the session of a superuser, such as autovacuum, has left it', async () => {
  await using owner = await DatabaseOwner.create();
  const main = await owner.createDatabase();
  await owner.createDatabase('shadow');
  const shadow = owner.databaseName('shadow');
  const administrator = await connectTo(owner.administratorUrl(shadow));
  const connection = await Connection.open(parseConnectionUrl(main));
  try {
    const dropping = dropWithSessions(connection, shadow);
    await owner.until(
      `SELECT FROM pg_stat_activity WHERE usename = '${owner.name}' AND query LIKE 'DROP DATABASE%' AND state = 'idle'`,
    );
    await administrator.end();
    await dropping;
    expect(await owner.databases()).toEqual([owner.databaseName('main')]);
  } finally {
    await connection.close();
  }
});

it('a database that a superuser keeps using is not dropped, and the refusal is passed on', async () => {
  await using owner = await DatabaseOwner.create();
  const main = await owner.createDatabase();
  await owner.createDatabase('shadow');
  const shadow = owner.databaseName('shadow');
  const administrator = await connectTo(owner.administratorUrl(shadow));
  const connection = await Connection.open(parseConnectionUrl(main));
  try {
    await expect(dropWithSessions(connection, shadow)).rejects.toMatchObject({ code: '42501' });
    expect(await owner.databases()).toContain(shadow);
  } finally {
    await administrator.end();
    await connection.close();
  }
});
