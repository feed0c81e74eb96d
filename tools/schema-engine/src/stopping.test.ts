import { execute } from '@repo/postgres/database';
import { describe, expect, it } from 'vitest';
import { DatabaseOwner } from './fixtures/database-owner.ts';
import { EngineClient, applyInput } from './fixtures/engine-client.ts';
import { PrismaProject } from './fixtures/prisma-project.ts';

/** A migration that would never end by itself. */
const ENDLESS = 'CREATE TABLE half (id INT); SELECT pg_sleep(100000);';
const MIGRATIONS = applyInput({ '20240101000000_endless': ENDLESS });

/** A row as soon as a session of the role sleeps in that migration. */
const sleeping = ({ name }: DatabaseOwner) =>
  `SELECT FROM pg_stat_activity WHERE usename = '${name}' AND wait_event = 'PgSleep'`;

const withoutShadow = ({ name }: DatabaseOwner) =>
  `SELECT WHERE NOT EXISTS (SELECT FROM pg_database WHERE datdba = '${name}'::regrole AND datname LIKE 'prisma_%')`;

describe('told to stop by SIGTERM', () => {
  it('the engine drops the shadow database that it is replaying migrations on', async () => {
    await using owner = await DatabaseOwner.create();
    await using engine = EngineClient.on(await owner.createDatabase());
    engine.send('devDiagnostic', MIGRATIONS);
    await owner.until(sleeping(owner));
    expect(await owner.databases()).toHaveLength(2);

    engine.process.kill('SIGTERM');
    expect(await engine.ended).toBe(0);
    expect(await owner.databases()).toEqual([owner.databaseName('main')]);
  });

  it('the engine cancels the migration under way, which leaves nothing, and records it as failed', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await using engine = EngineClient.on(databaseUrl);
    engine.send('applyMigrations', MIGRATIONS);
    await owner.until(sleeping(owner));

    engine.process.kill('SIGTERM');
    const { error } = await engine.receive();
    expect(error?.data).toMatchObject({ error_code: 'P3018', meta: { database_error_code: '57014' } });
    expect(await engine.ended).toBe(0);
    expect(
      await execute(
        databaseUrl,
        `SELECT to_regclass('half') AS half, logs <> '' AS logged FROM _prisma_migrations`,
      ),
    ).toEqual([{ half: null, logged: true }]);
  });

  it('the engine begins no further migration', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await using engine = EngineClient.on(databaseUrl);
    const migrations = {
      '20240101000000_endless': ENDLESS,
      '20240102000000_next': 'CREATE TABLE next (id INT);',
    };
    engine.send('applyMigrations', applyInput(migrations));
    await owner.until(sleeping(owner));

    engine.process.kill('SIGTERM');
    await engine.ended;
    expect(await execute(databaseUrl, 'SELECT migration_name AS name FROM _prisma_migrations')).toEqual([
      { name: '20240101000000_endless' },
    ]);
  });
});

describe('interrupted from a terminal', () => {
  it('migrate dev leaves no shadow database behind', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    const migrations = { '20240101000000_endless': ENDLESS };
    await using project = await PrismaProject.create({ databaseUrl, migrations });
    const { child, result } = project.start('migrate', 'dev', '--name', 'any');
    await owner.until(sleeping(owner));

    // A terminal sends the signal to all processes of the command.
    process.kill(-Number(child.pid), 'SIGINT');
    await result;
    await owner.until(withoutShadow(owner));
  });
});

describe('at the end of its input', () => {
  it('the engine finishes the request under way', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await using engine = EngineClient.on(databaseUrl);
    const slow = { '20240101000000_slow': 'SELECT pg_sleep(0.5); CREATE TABLE done (id INT);' };
    engine.send('applyMigrations', applyInput(slow));
    engine.process.stdin.end();

    expect(await engine.receive()).toMatchObject({
      result: { appliedMigrationNames: ['20240101000000_slow'] },
    });
    expect(await engine.ended).toBe(0);
    expect(await execute(databaseUrl, `SELECT to_regclass('done')::text AS done`)).toEqual([
      { done: 'done' },
    ]);
  });
});
