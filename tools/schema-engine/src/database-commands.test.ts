import { execute } from '@repo/postgres/database';
import { describe, expect, it } from 'vitest';
import { DatabaseOwner } from './fixtures/database-owner.ts';
import { PrismaProject } from './fixtures/prisma-project.ts';

const MODELS = 'model Wallet {\n  id Int @id\n  name String?\n}\n';

describe('without a database', () => {
  it('validate, format and generate work', async () => {
    await using project = await PrismaProject.create({
      models: MODELS.replace('id Int @id', 'id   Int   @id'),
    });
    await project.succeed('validate');
    expect((await project.prisma('format', '--check')).exitCode).toBe(1);
    await project.succeed('format');
    await project.succeed('generate');
    expect(await project.read('generated/client.ts')).toContain('PrismaClient');
  });

  it('commands that need one say that none is configured', async () => {
    await using project = await PrismaProject.create();
    const { output, exitCode } = await project.prisma('migrate', 'deploy');
    expect(output).toContain('datasource.url property is required');
    expect(exitCode).toBe(1);
  });
});

describe('db push and db pull', () => {
  it('bring a schema into a database and back', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await using project = await PrismaProject.create({ databaseUrl, models: MODELS });

    await project.succeed('db', 'push');
    await execute(
      databaseUrl,
      `CREATE TYPE kind AS ENUM ('A', 'B'); ALTER TABLE "Wallet" ADD kinds kind[], ADD at TIMESTAMPTZ(3)`,
    );
    await project.succeed('db', 'pull');
    const pulled = await project.read('prisma/schema.prisma');
    expect(pulled).toMatch(/kinds\s+kind\[\]/);
    expect(pulled).toMatch(/at\s+DateTime\?\s+@db\.Timestamptz\(3\)/);
  });

  it('push refuses to lose rows unless it is allowed to', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await execute(
      databaseUrl,
      `CREATE TABLE "Wallet" (id INT PRIMARY KEY, name TEXT); INSERT INTO "Wallet" VALUES (1, 'n')`,
    );
    await using project = await PrismaProject.create({
      databaseUrl,
      models: 'model Wallet {\n  id Int @id\n}\n',
    });

    expect((await project.prisma('db', 'push')).output).toContain('--accept-data-loss');
    expect(await execute(databaseUrl, 'SELECT name FROM "Wallet"')).toEqual([{ name: 'n' }]);
    await project.succeed('db', 'push', '--accept-data-loss');
  });
});

describe('db execute', () => {
  it('runs a script with function bodies, all of it or nothing', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await using project = await PrismaProject.create({ databaseUrl });
    await execute(databaseUrl, 'CREATE TABLE t AS SELECT 1 AS id');
    await project.write('good.sql', `SELECT 1; DO $$ BEGIN INSERT INTO t VALUES (2); END $$;`);
    await project.write('bad.sql', `INSERT INTO t VALUES (3);\nSELECT 1 / 0;`);

    await project.succeed('db', 'execute', '--file', 'good.sql');
    const failed = await project.prisma('db', 'execute', '--file', 'bad.sql');
    expect(failed.output).toContain('SQLSTATE 22012');
    expect(failed.exitCode).toBe(1);
    expect(await execute(databaseUrl, 'SELECT id FROM t ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);
  });
});

describe('migrate reset and db seed', () => {
  it('reset empties the database and applies all migrations, and seed runs the configured command', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await using project = await PrismaProject.create({
      databaseUrl,
      migrations: { '20240101000000_base': 'CREATE TABLE wallet (id INT);' },
      config: `migrations: { path: 'prisma/migrations', seed: 'node seed.mjs' },`,
    });
    await project.write('seed.mjs', `console.log('seeded ' + (1 + 1));`);
    await execute(databaseUrl, 'CREATE TABLE stray (id INT)');

    await project.succeed('migrate', 'reset', '--force');
    expect(
      await execute(
        databaseUrl,
        `SELECT to_regclass('stray') AS stray, to_regclass('wallet')::text AS wallet`,
      ),
    ).toEqual([{ stray: null, wallet: 'wallet' }]);
    expect((await project.prisma('db', 'seed')).stdout).toContain('seeded 2');
  });
});

describe('studio', () => {
  it('starts and answers', async () => {
    await using owner = await DatabaseOwner.create();
    await using project = await PrismaProject.create({
      databaseUrl: await owner.createDatabase(),
      models: MODELS,
    });
    const { child, result } = project.start('studio', '--browser', 'none');
    const address = await new Promise<string>((resolve, reject) => {
      let said = '';
      const listen = (chunk: Buffer) => {
        said += chunk.toString();
        const found = /http:\/\/[\w.]+:\d+/.exec(said)?.[0];
        if (found) resolve(found);
      };
      child.stdout?.on('data', listen);
      child.stderr?.on('data', listen);
      void result.then(() => reject(new Error(`studio ended: ${said}`)));
    });
    const answer = await fetch(address);
    child.kill('SIGTERM');
    await result;
    expect(answer.status).toBe(200);
  });
});
