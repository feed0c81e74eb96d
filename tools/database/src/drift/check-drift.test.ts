import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { MORE, openShop, writeShop } from '../fixtures/shop.ts';
import { TemporaryProject, repository } from '../fixtures/temporary-project.ts';
import { readMigrations } from '../migrations.ts';
import type { Project } from '../project.ts';
import { DRIFT_CHECKS, runDriftCheck } from './check-drift.ts';
import { checkFunctionLengths } from './function-lengths.ts';

/** What the check of this claim finds in a database that the repository's migrations made. */
async function problemsOf(claim: RegExp, project: Project = repository, sql = ''): Promise<string[]> {
  await using migrated = await createTestDatabase();
  if (sql !== '') await execute(migrated.url, sql);
  return await problemsIn(migrated.url, claim, project);
}

/** The same in a database that other migrations made. */
async function problemsIn(url: string, claim: RegExp, project: Project): Promise<string[]> {
  await using empty = await createTestDatabase({ empty: true });
  const check = DRIFT_CHECKS.find((candidate) => claim.test(candidate.claim));
  if (check === undefined) throw new RangeError(`no check claims ${claim}`);
  return await runDriftCheck(check, { project, url, emptyUrl: empty.url });
}

const lastName = (await readMigrations(repository.migrations)).at(-1)?.name ?? '';

describe('the repository', () => {
  it.each(DRIFT_CHECKS)('keeps its promise: $claim', async ({ claim }) => {
    expect(await problemsOf(new RegExp(`^${claim}$`))).toEqual([]);
  });
});

it('line ends of a checkout are no drift', async () => {
  await using temporary = await TemporaryProject.create();
  const { functions, dump } = temporary.project;
  for (const path of [
    dump,
    ...(await readdir(functions, { recursive: true }))
      .filter((name) => name.endsWith('.sql'))
      .map((name) => join(functions, name)),
  ]) {
    await writeFile(path, (await readFile(path, 'utf8')).replaceAll('\n', '\r\n'));
  }
  expect(await problemsOf(/prisma\/functions/, temporary.project)).toEqual([]);
  expect(await problemsOf(/schema\.sql/, temporary.project)).toEqual([]);
});

describe('drift is found out', () => {
  it('when a migration has no way back', async () => {
    await using temporary = await TemporaryProject.create();
    await temporary.remove(`migrations/${lastName}/down.sql`);
    expect(await problemsOf(/has a way back/, temporary.project)).toEqual([`${lastName} has no down.sql`]);
  });

  it('when a migration does not say why it is there', async () => {
    await using temporary = await TemporaryProject.create();
    await temporary.write(
      `migrations/${lastName}/notes.md`,
      '- **Why:**\n- **Locks:** none\n- **Cost:** none\n',
    );
    expect(await problemsOf(/says why/, temporary.project)).toEqual([
      `${lastName}/notes.md has no line "- **Why:** ..."`,
    ]);
  });

  it('when a function is longer than any may be', async () => {
    await using temporary = await TemporaryProject.create();
    const body = 'SELECT 1;\n'.repeat(400);
    await temporary.write(
      'functions/core.long.sql',
      `-- A header.\nCREATE FUNCTION core.long() RETURNS void LANGUAGE sql AS $$\n${body}$$;\n`,
    );
    const [problem] = await problemsOf(/no function is longer/, temporary.project);
    expect(problem).toMatch(/^core\.long\.sql has 402 lines, \d+ is the most/);
  });

  it('when a call leaves its arguments without names', async () => {
    await using temporary = await TemporaryProject.create();
    await temporary.write(
      'functions/core.caller.sql',
      `CREATE FUNCTION core.caller() RETURNS text LANGUAGE sql AS $$
        -- core.verification_hash(a, b, c) in a comment is no call
        SELECT core.verification_hash(p_reference => 'a, b, c', p_amount => 1, p_created_at => now()),
               core.normalize_phone('1'), core.verification_hash('a', (SELECT 1), now())
      $$;`,
    );
    expect(await problemsOf(/name their arguments/, temporary.project)).toEqual([
      'core.caller.sql calls core.verification_hash with 3 arguments and does not name them',
    ]);
  });

  it('when the limit of lines could be lower', async () => {
    const [problem] = await checkFunctionLengths(repository.functions, 100_000);
    expect(problem).toMatch(/^the longest function has \d{3} lines: lower MOST_LINES/);
  });

  it('when the committed dump is not the migrated database', async () => {
    const problems = await problemsOf(/schema\.sql/, repository, 'CREATE TABLE core.forgotten ()');
    expect(problems).toContain('table core.forgotten is there and should not be');
  });

  it('when a table is not in the models', async () => {
    const [problem] = await problemsOf(
      /prisma\/schema has/,
      repository,
      'CREATE TABLE core.forgotten (id int)',
    );
    expect(problem).toContain('forgotten');
  });

  it('when a model has @default(now()), of which Prisma makes such a default', async () => {
    await using temporary = await TemporaryProject.create();
    await temporary.write(
      'models/core.prisma',
      `model Late {
         id        Int      @id
         createdAt DateTime @default(now()) @db.Timestamp(3)
         updatedAt DateTime @updatedAt @db.Timestamp(3)
         seenAt    DateTime @default( now() ) @db.Timestamptz(3)
         // was: DateTime @default(now())
       }`,
    );
    const models = fileURLToPath(new URL('models', pathToFileURL(temporary.project.config)));
    const problems = await problemsOf(/in UTC/, { ...temporary.project, models });
    expect(problems).toEqual([expect.stringMatching(/^core\.prisma:3 has @default\(now\(\)\).*dbgenerated/)]);
  });

  it('when a way back leaves something behind', async () => {
    await using shop = await openShop();
    await using migrated = await shop.clone();
    await using forgetful = await writeShop('-- forgotten');
    const problems = await problemsIn(migrated.url, /each way back/, forgetful.project);
    expect(problems.join('\n')).toContain(`after the way back of ${MORE.name}: `);
  });
});

describe('drift of functions is found out', () => {
  const SOURCES = [
    {
      what: 'differs',
      path: 'functions/ids/core.new_id.sql',
      sql: `CREATE OR REPLACE FUNCTION core.new_id() RETURNS uuid LANGUAGE sql VOLATILE AS 'SELECT NULL::uuid'`,
      found: 'function core.new_id differs between core.new_id.sql and the migrations',
    },
    {
      what: 'is in no migration',
      path: 'functions/core.fresh.sql',
      sql: `CREATE FUNCTION core.fresh() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      found: 'function core.fresh of core.fresh.sql is in no migration',
    },
    {
      what: 'has another name than its file',
      path: 'functions/core.alias.sql',
      sql: `CREATE FUNCTION core.fresh() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      found: 'core.alias.sql makes core.fresh, and is named otherwise',
    },
    {
      what: 'is one of two in a file',
      path: 'functions/core.two.sql',
      sql: `CREATE FUNCTION core.two() RETURNS int LANGUAGE sql AS 'SELECT 1';
            CREATE FUNCTION core.three() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      found: expect.stringMatching(
        /^core\.two\.sql makes core\.(?:two, core\.three|three, core\.two), not one/,
      ),
    },
    {
      what: 'is none',
      path: 'functions/core.none.sql',
      sql: 'SELECT 1',
      found: 'core.none.sql makes no function',
    },
    {
      what: 'cannot be made',
      path: 'functions/core.broken.sql',
      sql: 'CREATE FUNCTION core.broken',
      found: expect.stringMatching(/^core\.broken\.sql cannot be run: syntax error/),
    },
    {
      what: 'has no file',
      path: 'functions/ledger/core.backfill_hashes.sql',
      sql: null,
      found: 'function core.backfill_hashes has no source file core.backfill_hashes.sql',
    },
  ];
  /** What the check finds in a project with all of these at once. */
  let problems: string[];

  beforeAll(async () => {
    await using temporary = await TemporaryProject.create();
    for (const { path, sql } of SOURCES) {
      await (sql === null ? temporary.remove(path) : temporary.write(path, sql));
    }
    problems = await problemsOf(/prisma\/functions/, temporary.project);
  });

  it.each(SOURCES)('when a source file’s function $what', ({ found }) => {
    expect(problems).toContainEqual(found);
  });

  it('and nothing else is', () => {
    expect(problems).toHaveLength(SOURCES.length);
  });
});

describe('a time by the time zone of the session is found out', () => {
  const DEFAULTS = [
    'timestamp(3) DEFAULT CURRENT_TIMESTAMP',
    'timestamp DEFAULT now()',
    'timestamp DEFAULT LOCALTIMESTAMP',
    'timestamp DEFAULT clock_timestamp()',
    `timestamp DEFAULT (now() AT TIME ZONE 'Africa/Nairobi')`,
    `timestamp DEFAULT now() + interval '1 day'`,
    'date DEFAULT CURRENT_DATE',
    'time DEFAULT LOCALTIME',
  ];
  /** What the check finds in a database with all of these, and with what is right. */
  let problems: string[];

  beforeAll(async () => {
    const late = DEFAULTS.map((column, index) => `CREATE TABLE core.late_${index} (at ${column});`);
    const sql = `${late.join('\n')}
      CREATE TABLE core.punctual (
        a timestamp(3) DEFAULT (now() AT TIME ZONE 'UTC'),
        b timestamp DEFAULT (clock_timestamp() AT TIME ZONE 'UTC') + interval '1 day',
        c timestamptz DEFAULT now(), d timestamp DEFAULT '2026-01-01',
        e date DEFAULT (now() AT TIME ZONE 'UTC')::date);
      CREATE FUNCTION core.late() RETURNS timestamp LANGUAGE sql AS $$
        -- now() in a comment is no matter
        SELECT greatest(now() AT TIME ZONE 'UTC', current_timestamp) $$`;
    problems = await problemsOf(/in UTC/, repository, sql);
  });

  it.each(DEFAULTS)('when a default takes it: %s', (column) => {
    const table = `core.late_${DEFAULTS.indexOf(column)}`;
    const [problem, ...others] = problems.filter((each) => each.startsWith(`${table}.`));
    expect(problem).toMatch(/^core\.late_\d\.at has the default .*AT TIME ZONE 'UTC'\)$/);
    expect(others).toEqual([]);
  });

  it('but not when a default takes the time in UTC, or with its zone', () => {
    expect(problems).toHaveLength(DEFAULTS.length + 1);
    expect(problems.filter((each) => each.includes('punctual'))).toEqual([]);
  });

  it('when a function takes it', () => {
    expect(problems).toContain(
      "function core.late takes current_timestamp by the session's time zone. Write (now() AT TIME ZONE 'UTC')",
    );
  });
});
