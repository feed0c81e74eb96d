import { withoutChance } from '@repo/testing/chance';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { auditLedger, createDb, recordDeposit } from '@repo/db';
import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { runCommandLine } from './fixtures/run-command.ts';
import { repository } from './fixtures/temporary-project.ts';
import { readMigrations } from './migrations.ts';
import { findObstacles } from './preflight/preflight.ts';
import { runPrisma } from './prisma-cli.ts';
import { verifyDatabase } from './verify/verify-database.ts';

const migrations = await readMigrations(repository.migrations);
const [base] = migrations;

/** A database that has run for years: the tables of the base, and rows that nobody here has seen. */
const EXISTING = `
  ${base?.sql ?? ''}
  INSERT INTO core.wallets (id, holder_name, phone, balance, status, currency, created_at) VALUES
    ('HOUSE', 'Till 600000', NULL, -700.00, 'active', 'KES', '2022-01-01'),
    ('2048173651', 'Amina Otieno', '+254700000001', 450.00, 'active', 'KES', '2022-01-02'),
    ('3185294767', 'Brian Mwangi', '0711 000 002', 250.00, 'frozen', 'kes', '2022-01-03'),
    ('4411223344', 'Caro Njeri', NULL, 99.00, 'ACTIVE', 'KES', '2022-01-04');
  INSERT INTO core.transactions (reference, type, debit_wallet_id, credit_wallet_id, amount, currency, created_at) VALUES
    ('QKA0000001', 'deposit', 'HOUSE', '2048173651', 500.00, 'KES', '2022-02-01'),
    ('QKA0000002', 'deposit', 'HOUSE', '3185294767', 200.00, 'KES', '2022-02-02'),
    ('P-1', 'transfer', '2048173651', '3185294767', 50.00, 'KES', '2022-02-03'),
    ('P-2', 'REVERSAL', '3185294767', '2048173651', 10.00, 'KES', '2022-02-04'),
    ('P-3', 'transfer', '3185294767', '2048173651', -10.00, 'KES', '2022-02-05')`;

/** The statements that a refusal shows. The house's own wallet is called HOUSE, as it is in them. */
function statementsOf(output: string): string {
  return output
    .split('\n')
    .filter((line) => line.startsWith('    '))
    .join('\n');
}

describe('a database that is in use', () => {
  it('is adopted as docs/adopting.md describes, from begin to end, and no row and no cent is lost', async () => {
    await using database = await createTestDatabase({ empty: true });
    const { url } = database;
    await execute(url, EXISTING);

    const refused = await runCommandLine('deploy', url);
    expect(refused.exitCode).toBe(1);
    const guide = await readFile(join(repository.root, 'docs', 'adopting.md'), 'utf8');
    expect(guide).toContain(`migrate resolve --applied ${base?.name ?? ''}`);

    const resolved = await runPrisma(repository, ['migrate', 'resolve', '--applied', base?.name ?? ''], {
      url,
      output: 'keep',
    });
    expect(resolved.exitCode, resolved.output).toBe(0);

    // Each round names what is in the way and what to do; what it says is done.
    const [{ sum }] = (await execute(url, 'SELECT sum(balance) FROM core.wallets WHERE balance > 0')) as [
      { sum: string },
    ];
    for (let round = 0; round < 4 && (await findObstaclesOf(url)) > 0; round += 1) {
      const { exitCode, stdout } = await runCommandLine('deploy', url);
      expect(exitCode).toBe(1);
      expect(withoutChance(stdout)).not.toMatch(/2547|0711|Amina|Brian/);
      await execute(url, statementsOf(stdout));
    }
    const deployed = await runCommandLine('deploy', url);
    expect(deployed.exitCode, deployed.stdout + deployed.stderr).toBe(0);
    expect(deployed.stdout).toContain('none pending. Nothing is wrong.');

    expect(await runCommandLine('backfill', url)).toMatchObject({ exitCode: 0 });
    expect(await runCommandLine('audit', url)).toMatchObject({ exitCode: 0 });
    const rows = await execute(
      url,
      `SELECT id, balance::text, phone, status FROM core.wallets WHERE kind = 'CUSTOMER' AND id <> 'HOUSE' ORDER BY id`,
    );
    expect(rows).toEqual([
      { id: '2048173651', balance: '450.00', phone: '254700000001', status: 'ACTIVE' },
      { id: '3185294767', balance: '250.00', phone: '254711000002', status: 'FROZEN' },
      { id: '4411223344', balance: '99.00', phone: null, status: 'ACTIVE' },
    ]);
    expect(await execute(url, `SELECT -balance AS sum FROM core.wallets WHERE id = 'MPESA-FLOAT'`)).toEqual([
      { sum },
    ]);

    const db = createDb({ url });
    const paid = await recordDeposit(db, depositTo('2048173651'));
    expect(paid).toMatchObject({ outcome: 'credited', balanceAfter: '600.00' });
    expect((await auditLedger(db)).checks.filter(({ faults }) => faults > 0)).toEqual([]);
    await db.close();
  });

  it('is left as it is when a wallet has the name of a stripe of the house', async () => {
    await using database = await createTestDatabase({ empty: true });
    const { url } = database;
    const lanes = migrations.findIndex(({ name }) => name.endsWith('_lanes'));
    for (const { sql } of migrations.slice(0, lanes)) await execute(url, sql);
    await execute(url, "SELECT core.open_wallet('FEES.3', 'Amina Otieno', NULL)");
    await expect(execute(url, `BEGIN; ${migrations[lanes]?.sql ?? ''}; COMMIT`)).rejects.toMatchObject({
      code: 'DF010',
      message: 'wallet FEES.3 has the name of a new system wallet',
    });
    expect(
      await execute(url, "SELECT count(*)::int AS count FROM core.wallets WHERE kind = 'SYSTEM'"),
    ).toEqual([{ count: 3 }]);
  });

  it('gets the place to read from db:deploy when it has no history', async () => {
    await using database = await createTestDatabase({ empty: true });
    await execute(database.url, 'CREATE TABLE public.theirs (id int)');
    const { exitCode, stdout } = await runCommandLine('deploy', database.url);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('docs/adopting.md');
  });

  it('hears of all rows in the way at once, with table, number, keys and file, before anything has begun', async () => {
    await using database = await createTestDatabase({ empty: true });
    await execute(database.url, EXISTING);
    await runPrisma(repository, ['migrate', 'resolve', '--applied', base?.name ?? ''], {
      url: database.url,
      output: 'keep',
    });
    const { exitCode, stdout } = await runCommandLine('deploy', database.url);
    expect(exitCode).toBe(1);
    for (const part of [
      'core.wallets: 2 rows have a phone number that is not 9 to 15 digits\n  id: 2048173651, 3185294767\n',
      'core.wallets: 1 row has a balance below zero\n  id: HOUSE\n',
      'core.wallets: 3 rows have a status other than',
      'core.transactions: 4 rows have a type that the ledger does not know\n  reference: P-1, P-3, QKA0000001, QKA0000002\n',
      'core.transactions: 1 row has an amount that is not above zero\n  reference: P-3\n',
      '/migration.sql (wallets_phone_check)',
      'UPDATE core.wallets SET phone = regexp_replace',
    ]) {
      expect(stdout).toContain(part);
    }
    const { checks } = await verifyDatabase({ url: database.url, project: repository });
    expect(checks.find(({ name }) => name === 'migrations')?.summary).toContain('1 applied');
  });

  it('that is ours already has nothing in the way', async () => {
    await using database = await createTestDatabase();
    expect(await findObstaclesOf(database.url)).toBe(0);
  });
});

async function findObstaclesOf(url: string): Promise<number> {
  return (await findObstacles({ url, migrations: repository.migrations })).length;
}

function depositTo(account: string): Parameters<typeof recordDeposit>[1] {
  return {
    receipt: 'QKA0000009',
    amount: '150.00',
    shortCode: '600000',
    account,
    paidAt: new Date('2026-03-01T06:30:00.000Z'),
    payer: { phone: '254700000001', phoneHash: null, name: 'Amina' },
    callback: { kind: 'C2B_CONFIRMATION', source: null, body: Buffer.from('{}'), payload: null },
  };
}
