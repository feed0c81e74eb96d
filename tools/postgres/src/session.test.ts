import { expect, test } from 'vitest';
import { execute } from './database.ts';
import { Session } from './session.ts';
import { createTestDatabase } from './testing.ts';

const WHO = 'SELECT pg_backend_pid() AS pid';

async function pidOf(session: Session): Promise<unknown> {
  const [row] = await session.query(WHO);
  return row?.['pid'];
}

test('one statement after the other has the same session', async () => {
  await using database = await createTestDatabase({ empty: true });
  await using session = new Session(database.url);
  expect(await pidOf(session)).toBe(await pidOf(session));
});

test('a statement does not wait for one that waits for a lock', async () => {
  await using database = await createTestDatabase({ empty: true });
  await using session = new Session(database.url);
  await using holder = new Session(database.url);
  await holder.query('SELECT pg_advisory_lock(1)');
  const waiting = session.query('SELECT pg_advisory_lock(1)');
  expect(await session.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await holder.query('SELECT pg_advisory_unlock(1)');
  await waiting;
});

test('a session that was cut, or could not be opened, is opened again by the next statement', async () => {
  await using database = await createTestDatabase({ empty: true });
  await using session = new Session(database.url);
  const pid = await pidOf(session);
  await execute(database.url, `SELECT pg_terminate_backend(${String(pid)}, 60000)`);
  // Whether this process has heard of it yet or not.
  const next = await pidOf(session).catch(() => pidOf(session));
  expect(next).not.toBe(pid);

  const name = new URL(database.url).pathname.slice(1);
  const rename = (from: string, to: string) =>
    execute(
      new URL('/postgres', database.url).href,
      `SELECT pg_terminate_backend(${String(next)}, 60000); ALTER DATABASE ${from} RENAME TO ${to}`,
    );
  await session[Symbol.asyncDispose]();
  await rename(name, `${name}_away`);
  await expect(session.query(WHO)).rejects.toMatchObject({ code: '3D000' });
  await rename(`${name}_away`, name);
  expect(await session.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});
