import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import type { TestDatabase } from '@repo/postgres/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deploy } from '../deployment.ts';
import { appliedTo, applyPending, dumpOf, numberOf } from '../fixtures/databases.ts';
import { moveMoney } from '../fixtures/money.ts';
import { repository } from '../fixtures/temporary-project.ts';
import { readMigrations } from '../migrations.ts';
import type { Loss } from './loss.ts';
import { rollBack } from './roll-back.ts';

const { migrations } = repository;
const names = (await readMigrations(migrations)).map(({ name }) => name);
const base = nameOf('base');
const features = nameOf('add_new_features_schema');

function nameOf(suffix: string): string {
  const found = names.find((name) => name.endsWith(`_${suffix}`));
  if (found === undefined) throw new RangeError(`there is no migration ${suffix}`);
  return found;
}

async function deployAgain(url: string): Promise<void> {
  const { exitCode, output } = await deploy({ project: repository, url, output: 'keep' });
  expect(exitCode, output).toBe(0);
}

describe('walking back', () => {
  it('undoes the last applied migration and its place in the history, and a deploy applies it again', async () => {
    await using database = await createTestDatabase();
    const { url } = database;
    const before = await dumpOf(url);

    const { steps } = await rollBack({ url, migrations });
    expect(steps.map(({ name }) => name)).toEqual(names.slice(-1));
    expect(await appliedTo(url)).toEqual(names.slice(0, -1));

    await deployAgain(url);
    expect(await appliedTo(url)).toEqual(names);
    expect(await dumpOf(url)).toBe(before);
  });

  it('undoes all that came after the named migration, which stays', async () => {
    await using database = await createTestDatabase();
    const { steps } = await rollBack({ url: database.url, migrations, to: features });
    expect(steps.map(({ name }) => name)).toEqual(names.slice(names.indexOf(features) + 1).toReversed());
    expect(await appliedTo(database.url)).toEqual([base, features]);
  });

  it('does nothing when the named migration is the last', async () => {
    await using database = await createTestDatabase();
    const { steps } = await rollBack({ url: database.url, migrations, to: names.at(-1) });
    expect(steps).toEqual([]);
    expect(await appliedTo(database.url)).toEqual(names);
  });

  it('leads from a database that nobody has used to an empty one, without a word about data', async () => {
    await using database = await createTestDatabase();
    await using empty = await createTestDatabase({ empty: true });
    for (const name of names.toReversed()) {
      const { steps, losses } = await rollBack({ url: database.url, migrations });
      expect(steps.map((step) => step.name)).toEqual([name]);
      expect(losses).toEqual([]);
    }
    expect(await dumpOf(database.url)).toBe(await dumpOf(empty.url));
  });

  it('from the features keeps schema services for a foreign table in it', async () => {
    await using database = await createTestDatabase();
    await execute(database.url, 'CREATE TABLE services.ours AS SELECT 7 AS n');
    await rollBack({ url: database.url, migrations, to: base });
    expect(await numberOf(database.url, 'SELECT n FROM services.ours')).toBe(7);
    expect(await dumpOf(database.url, ['services'])).not.toContain('mpesa_logs');
  });
});

/** What a database is, in what these tests ask of it. */
async function readDatabase(url: string): Promise<Seen> {
  return {
    dump: await dumpOf(url),
    core: await dumpOf(url, ['core']),
    applied: await appliedTo(url),
    counts: await countTables(url),
    transactions: await execute(url, 'SELECT reference, amount FROM core.transactions ORDER BY reference'),
  };
}

interface Seen {
  readonly dump: string;
  readonly core: string;
  readonly applied: string[];
  readonly counts: Map<string, bigint>;
  readonly transactions: Record<string, unknown>[];
}

describe('a rollback to the base with rows in every table', () => {
  // The way back gives each system account one wallet, which the way forth leaves as it is.
  const accounts = `
    SELECT core.account_of(id) AS id, sum(balance) AS balance, sum(version) AS version, min(kind) AS kind
      FROM core.wallets GROUP BY 1 ORDER BY 1`;
  const ledger = `
    SELECT reference, amount, core.account_of(debit_wallet_id) AS debit, core.account_of(credit_wallet_id) AS credit,
           credit_version, credit_balance_after
      FROM core.transactions ORDER BY reference`;
  const money = async (url: string) => [await execute(url, accounts), await execute(url, ledger)];

  let database: TestDatabase;
  /** The tables without what the test has brought, which is no loss: the migrations put it there again. */
  let brought: Map<string, bigint>;
  let before: Seen & { readonly money: unknown; readonly stripes: number; readonly hashes: number };
  let refusal: unknown;
  let refused: Seen;
  let losses: Loss[];
  let down: Seen;

  // One walk shows all of it: refused, then done.
  beforeAll(async () => {
    database = await createTestDatabase();
    const { url } = database;
    brought = await countTables(url);
    await moveMoney(url);
    before = {
      ...(await readDatabase(url)),
      money: await money(url),
      stripes: await numberOf(url, USED_STRIPES),
      hashes: await numberOf(url, 'SELECT count(verification_hash) AS n FROM core.transactions'),
    };
    refusal = await rollBack({ url, migrations, to: base }).catch((error: unknown) => error);
    refused = await readDatabase(url);
    ({ losses } = await rollBack({ url, migrations, to: base, discardData: true }));
    down = await readDatabase(url);
  });

  afterAll(() => database.drop());

  it('is refused with the number of rows of each table, and changes nothing', () => {
    for (const table of ['services.mpesa_callbacks', 'services.mpesa_logs', 'services.sms_logs']) {
      const count = before.counts.get(table) ?? 0n;
      expect(count).toBeGreaterThan(1n);
      expect(String(refusal)).toContain(`\n  ${count} rows of ${table}`);
    }
    expect(String(refusal)).toContain(`\n  ${before.hashes} values of core.transactions.verification_hash`);
    // Transactions stay, and what the ledger adds to them is computed again. Stripes become one wallet again.
    expect(String(refusal)).not.toMatch(/of core\.transactions\.debit/);
    expect(String(refusal)).toContain(`\n  ${before.stripes} rows of core.wallets`);
    expect(refused.dump).toBe(before.dump);
    expect(refused.counts).toEqual(before.counts);
    expect(refused.applied).toEqual(names);
  });

  it('is done with --discard-data, and reports every row of every table that is gone', () => {
    const gone = [...before.counts]
      .map(([table, count]) => [table, count - (brought.get(table) ?? 0n)] as const)
      .filter(([table, count]) => !down.counts.has(table) && count > 0n);
    expect(gone.length).toBeGreaterThan(2);
    expect(losses.filter(({ kind }) => kind === 'row')).toEqual(
      [...gone, ['core.wallets', BigInt(before.stripes)] as const].map(([of, count]) => ({
        kind: 'row',
        of,
        count,
      })),
    );
    expect(down.applied).toEqual([base]);
  });

  it('leaves core exactly as the base migration made it, and the transactions', async () => {
    await using reference = await createTestDatabase({ empty: true });
    const [first] = await readMigrations(migrations);
    await execute(reference.url, first?.sql ?? '');
    expect(down.core).toBe(await dumpOf(reference.url, ['core']));
    expect(down.dump).toBe(await dumpOf(reference.url));
    expect(down.transactions).toHaveLength(3);
    expect(down.transactions).toEqual(before.transactions);
  });

  it('and up again, ends in the same database', async () => {
    const { url } = database;
    await applyPending(url, migrations);
    expect(await dumpOf(url)).toBe(before.dump);
    // What the way back declares as derived has been computed again from the transactions.
    expect(await money(url)).toEqual(before.money);
  });
});

/** The wallets of system accounts, beside the first of each, in which there has been money. */
const USED_STRIPES = 'SELECT count(*) AS n FROM core.wallets WHERE version > 0 AND core.account_of(id) <> id';

async function countTables(url: string): Promise<Map<string, bigint>> {
  const tables = await execute(
    url,
    `SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname IN ('core', 'services') ORDER BY 1`,
  );
  const counts = new Map<string, bigint>();
  for (const { name } of tables) {
    counts.set(String(name), BigInt(await numberOf(url, `SELECT count(*) AS n FROM ${String(name)}`)));
  }
  return counts;
}
