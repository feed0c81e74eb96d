import { execute } from '@repo/postgres/database';
import { findFreePort } from '@repo/postgres/port';
import { createTestDatabase } from '@repo/postgres/testing';
import { until } from '@repo/testing/until';
import { describe, expect, it } from 'vitest';
import { appliedTo } from './fixtures/databases.ts';
import { moveMoney } from './fixtures/money.ts';
import { runCommandInThread, runCommandLine, startCommand } from './fixtures/run-command.ts';
import { repository } from './fixtures/temporary-project.ts';
import { readMigrations } from './migrations.ts';
import { SAMPLE_WALLETS } from './seed/sample-wallets.ts';

const names = (await readMigrations(repository.migrations)).map(({ name }) => name);

describe('db:deploy', () => {
  it('shows what Prisma says, and ends with what the database now is', async () => {
    await using database = await createTestDatabase({ empty: true });
    const { exitCode, stdout } = await runCommandLine('deploy', database.url);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('All migrations have been successfully applied.');
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(
      new RegExp(`^database "test_.*: ${names.length} applied, none pending\\. Nothing is wrong\\.$`),
    );
  });

  it('names what was changed by hand, which deploying does not mend', async () => {
    await using database = await createTestDatabase();
    await execute(database.url, 'DROP TRIGGER wallets_through_the_door ON core.wallets');
    const { exitCode, stdout } = await runCommandLine('deploy', database.url);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`${names.length} applied, none pending. One thing is wrong.`);
    expect(stdout).toContain('trigger wallets_through_the_door on core.wallets is missing');
    expect(stdout).toContain('db:verify says what to do');
    expect(stdout).not.toContain('Nothing is wrong');
  });

  it('ends as Prisma ends, when it fails', async () => {
    const { exitCode, stderr } = await runCommandLine('deploy', 'postgresql://nobody:x@127.0.0.1:1/nothing');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('P1001');
  });
});

describe('db:rollback', () => {
  it('prints one line for each migration, and nothing else in a pipe', async () => {
    await using database = await createTestDatabase();
    const result = await runCommandLine('rollback', database.url, ['--to', names[0] ?? '']);
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout.trimEnd().split('\n')).toEqual(
      names
        .slice(1)
        .toReversed()
        .map((name) => expect.stringMatching(new RegExp(`^${name}: walked back in \\d+ ms$`))),
    );
  });

  it('exits with 1 when rows would be lost, and says without a stack what to do', async () => {
    await using database = await createTestDatabase();
    await moveMoney(database.url);
    const { exitCode, stdout, stderr } = await runCommandLine('rollback', database.url, [
      '--to',
      names[0] ?? '',
    ]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^rows would be lost, so nothing was changed: .*--discard-data/);
    expect(stderr).not.toContain('    at ');
    expect(await appliedTo(database.url)).toEqual(names);

    const again = await runCommandInThread('rollback', database.url, [
      '--to',
      names[0] ?? '',
      '--discard-data',
    ]);
    expect(again.exitCode).toBe(0);
    expect(again.stdout).toContain('lost: 3 rows of services.mpesa_callbacks');
  });

  it('refuses an option that it does not know before it does anything', async () => {
    await using database = await createTestDatabase();
    const { exitCode, stderr } = await runCommandInThread('rollback', database.url, ['--discard']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('--discard');
    expect(await appliedTo(database.url)).toEqual(names);
  });
});

describe('db:verify', () => {
  it('exits with 0 or 1 by whether something is wrong', async () => {
    await using database = await createTestDatabase();
    const healthy = await runCommandLine('verify', database.url);
    expect(healthy).toEqual({
      exitCode: 0,
      stderr: '',
      stdout: expect.stringContaining('Nothing is wrong.'),
    });

    await execute(database.url, 'DROP TRIGGER wallets_through_the_door ON core.wallets');
    const damaged = await runCommandInThread('verify', database.url);
    expect(damaged.exitCode).toBe(1);
    expect(damaged.stdout).toContain('trigger wallets_through_the_door on core.wallets is missing');
    expect(damaged.stdout).toContain('One thing is wrong.');
  });
});

describe('db:audit', () => {
  it('exits with 0 when nothing is found, and says what it compared', async () => {
    await using database = await createTestDatabase();
    await moveMoney(database.url);
    const { exitCode, stdout, stderr } = await runCommandLine('audit', database.url);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^The ledger at .* UTC: 8 wallets, 3 transactions$/m);
    expect(stdout).toMatch(/^ {2}ok +order +the postings of each wallet/m);
    expect(stdout).toMatch(/\nNothing was found in \d+ checks\.\n$/);
  });

  it('exits with 1 on findings, names the first of them with what to do, and counts the others', async () => {
    await using database = await createTestDatabase();
    await moveMoney(database.url);
    await execute(
      database.url,
      `SET session_replication_role = replica; UPDATE core.transactions SET verification_hash = repeat('0', 64)`,
    );
    const { exitCode, stdout } = await runCommandInThread('audit', database.url, ['--limit', '1']);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /WRONG {3}hashes +transaction T-1 has the verification hash of other facts\n +and 2 more\n +Somebody/,
    );
    expect(stdout).toContain('\n3 things were found.');

    const { stdout: json } = await runCommandInThread('audit', database.url, ['--json']);
    expect(JSON.parse(json)).toMatchObject({ transactions: 3 });
    expect(JSON.parse(json)).toHaveProperty('checks[6].faults', 3);
  });

  it('exits with 2 when it could not run: without a ledger, without a server, with an unknown option', async () => {
    await using database = await createTestDatabase({ empty: true });
    const absent = await runCommandInThread('audit', database.url);
    expect(absent).toMatchObject({ exitCode: 2, stdout: '' });
    expect(absent.stderr).toContain('db:deploy');
    const nowhere = 'postgresql://nobody:x@127.0.0.1:1/nothing';
    expect(await runCommandInThread('audit', nowhere)).toMatchObject({ exitCode: 2, stdout: '' });
    expect(await runCommandInThread('audit', database.url, ['--jsn'])).toMatchObject({ exitCode: 2 });
    expect(await runCommandInThread('audit', database.url, ['--limit', '0'])).toMatchObject({ exitCode: 2 });
    expect(await runCommandInThread('audit', database.url, ['--help'])).toMatchObject({ exitCode: 0 });
  });
});

describe('db:status', () => {
  it('exits with 1 only when the balances do not add up', async () => {
    await using database = await createTestDatabase();
    expect(await runCommandLine('status', database.url)).toMatchObject({ exitCode: 0, stderr: '' });
    await execute(
      database.url,
      `ALTER TABLE core.wallets DISABLE TRIGGER USER;
       UPDATE core.wallets SET balance = 5 WHERE id = 'FEES'`,
    );
    expect(await runCommandInThread('status', database.url)).toMatchObject({ exitCode: 1 });
  });
});

describe('db:seed', () => {
  it('prints the sample wallets with their balances, and can be run again', async () => {
    await using database = await createTestDatabase();
    const first = await runCommandLine('seed', database.url);
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    for (const { number } of SAMPLE_WALLETS) {
      expect(first.stdout).toMatch(new RegExp(`^${number} .* ACTIVE +KES +0\\.00$`, 'm'));
    }
    const second = await runCommandInThread('seed', database.url);
    expect(second.stdout).toContain(`0 opened, ${SAMPLE_WALLETS.length} were there already`);
  });

  it('says what to do where nothing is deployed', async () => {
    await using database = await createTestDatabase({ empty: true });
    const { exitCode, stderr } = await runCommandInThread('seed', database.url);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('db:deploy');
  });
});

describe('db:url', () => {
  it('prints the address that is configured, and nothing else', async () => {
    const url = 'postgresql://shop:p%40ss@127.0.0.1:1/shop?schema=own';
    expect(await runCommandLine('url', url)).toEqual({ exitCode: 0, stdout: `${url}\n`, stderr: '' });
  });
});

describe('db:studio', () => {
  it('shows the database on this machine only, until Ctrl-C', async () => {
    await using database = await createTestDatabase();
    const port = await findFreePort();
    const { child, result } = startCommand('studio', database.url, [
      '--port',
      String(port),
      '--browser',
      'none',
    ]);
    const ended = result.then(({ stderr }) => Promise.reject(new Error(stderr)));
    const answers = until('Studio answers', () => fetch(`http://127.0.0.1:${port}/`).catch(() => null));
    const page = await Promise.race([answers, ended]);
    expect(page.status).toBe(200);
    // Another address of this machine: nobody listens there.
    await expect(fetch(`http://127.0.0.2:${port}/`)).rejects.toThrow('fetch failed');
    child.kill('SIGINT');
    expect((await result).exitCode).toBe(0);
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow('fetch failed');
  });
});
