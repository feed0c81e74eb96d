import { createDb, recordDeposits, transfer } from '@repo/db';
import type { Db } from '@repo/db';
import { hasCitus, startCitus } from '@repo/postgres/citus';
import type { CitusCluster } from '@repo/postgres/citus';
import { execute } from '@repo/postgres/database';
import type { Server } from '@repo/postgres/server';
import { createTestDatabase } from '@repo/postgres/testing';
import { until } from '@repo/testing/until';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { depositTo } from '../fixtures/both-forms.ts';
import { applyPending, appliedTo, dumpOf } from '../fixtures/databases.ts';
import { faultsOf, findingsOf as verificationOf } from '../fixtures/faults.ts';
import { findingsOf, moveMoney, openWalletsApart } from '../fixtures/over-nodes.ts';
import { runCommandLine } from '../fixtures/run-command.ts';
import { repository, TemporaryProject } from '../fixtures/temporary-project.ts';
import { runPrisma } from '../prisma-cli.ts';
import { rollBack } from '../rollback/roll-back.ts';
import { deployOverNodes } from './deploy-over-nodes.ts';
import { distributeDatabase } from './distribute-database.ts';

let cluster: CitusCluster;
let dbs: Db[] = [];

const LOCK = { waitMilliseconds: 60_000 };

/** A release with more migrations, its dump included. */
async function releaseWith(migrations: Readonly<Record<string, string>>): Promise<TemporaryProject> {
  const release = await TemporaryProject.create();
  await using machine = await createTestDatabase();
  for (const [name, sql] of Object.entries(migrations)) {
    await release.writeMigration(name, { sql });
    await execute(machine.url, sql);
  }
  await release.write('schema.sql', await dumpOf(machine.url));
  return release;
}

const NEW_THINGS = `
  ALTER TABLE core.wallets ADD COLUMN nickname varchar(40);
  CREATE TABLE services.reminders (id uuid PRIMARY KEY, wallet_id varchar(20) NOT NULL, note text NOT NULL);
  CREATE TRIGGER reminders_kept BEFORE DELETE OR UPDATE OR TRUNCATE ON services.reminders
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('They are kept.');
  ALTER TABLE services.sms_events ADD COLUMN noted_by varchar(40);
  CREATE FUNCTION services.remind(p_wallet text) RETURNS void LANGUAGE sql AS
    'INSERT INTO services.reminders (id, wallet_id, note) VALUES (core.new_id(), p_wallet, ''of this release'')';
`;

/** Another guard of a table that is there. Citus repeats the text of the whole script on the nodes, so each stands alone. */
const OTHER_GUARD = {
  '20990102000000_drop_guard': 'DROP TRIGGER requests_append_only ON core.requests',
  '20990103000000_guard': `CREATE TRIGGER requests_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON core.requests
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Of this release.')`,
};

/** Functions of the lanes, of any node and of the coordinator, with another text. */
const CHANGED = [
  'services.record_deposits',
  'core.post_transactions',
  'core.run_operations',
  'services.tell_of_transaction',
];

async function changedFunctions(): Promise<string> {
  await using machine = await createTestDatabase();
  const rows = await machine.query(
    `SELECT pg_get_functiondef(name::regproc) AS text FROM unnest('{${CHANGED.join()}}'::text[]) AS name`,
  );
  const texts = rows.map(({ text }) => String(text).replace(/^BEGIN$/m, 'BEGIN\n    -- of this release'));
  expect(texts.every((text) => text.includes('-- of this release'))).toBe(true);
  return `${texts.join(';\n')};\n`;
}

/** How many functions of a node have the text of the release. */
async function changedOn(url: string): Promise<string[]> {
  const rows = await execute(
    url,
    `SELECT n.nspname || '.' || p.proname AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE p.prosrc LIKE '%-- of this release%' ORDER BY 1`,
  );
  return rows.map(({ name }) => String(name));
}

/** A migration that goes on when the test lets go of it. */
const HELD = 'SELECT pg_advisory_xact_lock(20990102)';
const IS_HELD = `pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted) AND query = '${HELD}'`;

/** What can be lost while a release is half-way, and how it comes back. */
const LOSSES = [
  {
    what: 'its session',
    lose: async () => {
      await execute(cluster.url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${IS_HELD}`);
      return () => Promise.resolve();
    },
  },
  {
    what: 'a worker',
    lose: async () => {
      const worker = cluster.workers[1] as Server;
      await worker.kill();
      return async () => void (await cluster.restart(worker));
    },
  },
];

describe.skipIf(!hasCitus)('a release over a distributed database', { timeout: 300_000 }, () => {
  beforeAll(async () => {
    cluster = await startCitus({ workers: 2 });
    await applyPending(cluster.url, repository.migrations);
    const workers = cluster.workers.map(({ port }) => ({ host: '127.0.0.1', port }));
    await distributeDatabase({ url: cluster.url, sources: repository.distributed, workers });
    dbs = [cluster.url, ...cluster.workerUrls].map((url) => createDb({ url, maxConnections: 3 }));
  }, 300_000);

  afterAll(async () => {
    await Promise.all(dbs.map((db) => db.close()));
    await cluster.stop();
  });

  it('is not put on it by what does not know the form, and nothing is changed', async () => {
    await using release = await releaseWith({ '20990101000000_new': NEW_THINGS });
    const before = await appliedTo(cluster.url);
    const run = await runPrisma(release.project, ['migrate', 'deploy'], { url: cluster.url, output: 'keep' });
    expect(run.exitCode).not.toBe(0);
    expect(run.output).toContain('Run db:deploy, which keeps its form');
    expect(await appliedTo(cluster.url)).toEqual(before);
    await expect(rollBack({ url: cluster.url, migrations: repository.migrations })).rejects.toThrow(
      'the database is distributed',
    );
    expect(await faultsOf(cluster.url)).toEqual([]);
  });

  it('is refused with what to do when Citus cannot have it, and nothing is changed', async () => {
    await using release = await releaseWith({
      '20990101000000_phones': `CREATE TABLE services.first (id uuid PRIMARY KEY); CREATE UNIQUE INDEX wallets_phone_key ON core.wallets (phone)`,
    });
    await expect(deployOverNodes({ url: cluster.url, project: release.project, lock: LOCK })).rejects.toThrow(
      /migration 20990101000000_phones cannot be applied to it: .* begin with the lane/,
    );
    expect(await faultsOf(cluster.url)).toEqual([]);
  });

  it.each(LOSSES)('is taken back on every node when $what is lost on the way', async ({ lose }) => {
    await using release = await releaseWith({
      '20990101000000_new': NEW_THINGS + (await changedFunctions()),
      '20990102000000_held': HELD,
    });
    const before = await appliedTo(cluster.url);
    const holder = new Client({ connectionString: cluster.url });
    await holder.connect();
    await holder.query('SELECT pg_advisory_lock(20990102)');
    const outcome = deployOverNodes({ url: cluster.url, project: release.project, lock: LOCK }).then(
      () => 'applied',
      () => 'failed',
    );
    await until('the release is half-way', () =>
      execute(cluster.url, `SELECT FROM pg_stat_activity WHERE ${IS_HELD}`).then(({ length }) => length > 0),
    );
    const restore = await lose();
    await holder.end();
    expect(await outcome).toBe('failed');
    await restore();
    expect(await appliedTo(cluster.url)).toEqual(before);
    for (const url of [cluster.url, ...cluster.workerUrls]) expect(await changedOn(url)).toEqual([]);
    expect(await faultsOf(cluster.url)).toEqual([]);
  });

  it('brings columns, tables and functions to every node, while money moves, and the form stays whole', async () => {
    await using release = await releaseWith({
      '20990101000000_new': NEW_THINGS + (await changedFunctions()),
      ...OTHER_GUARD,
    });
    const wallets = await openWalletsApart(dbs[0] as Db, cluster.url);
    await recordDeposits(
      dbs[0] as Db,
      [...wallets, ...wallets].map((number) => depositTo(number)),
    );
    await using moves = moveMoney(wallets, dbs);
    await until('money moves', () => moves.done.length > 10);
    expect(await deployOverNodes({ url: cluster.url, project: release.project, lock: LOCK })).toEqual([
      '20990101000000_new',
      ...Object.keys(OTHER_GUARD),
    ]);
    const then = moves.done.length;
    await until('money goes on moving', () => moves.done.length > then + 10);
    await moves.end();
    expect(moves.failed).toEqual([]);

    expect(await faultsOf(cluster.url, release.project)).toEqual([]);
    // The entry of deposits is written for the form, and its text there is another one.
    const names = [
      'core.post_transactions',
      'core.run_operations',
      'lanes.post_transactions',
      'lanes.record_deposits',
      'lanes.tell_of_transaction',
      'services.tell_of_transaction',
    ];
    for (const url of [cluster.url, ...cluster.workerUrls]) {
      expect(await changedOn(url)).toEqual(names);
      await execute(url, `SELECT services.remind('${wallets[0]}')`);
      expect(await execute(url, 'SELECT count(nickname)::int AS n FROM core.wallets')).toEqual([{ n: 0 }]);
      for (const table of ['services.reminders', 'core.requests']) {
        await expect(execute(url, `DELETE FROM ${table}`)).rejects.toMatchObject({ code: 'DF001' });
        await expect(execute(url, `TRUNCATE ${table}`)).rejects.toMatchObject({ code: 'DF001' });
      }
    }
    expect(await execute(cluster.url, 'SELECT count(*)::int AS n FROM services.reminders')).toEqual([
      { n: 3 },
    ]);

    // Receipts are claimed as before, and money goes between workers.
    const [one, two] = wallets;
    const { receipt } = depositTo(one);
    const answers = await Promise.all([
      recordDeposits(dbs[1] as Db, [depositTo(one, receipt)]),
      recordDeposits(dbs[2] as Db, [depositTo(two, receipt)]),
    ]);
    expect(new Set(answers.map(([first]) => first?.outcome))).toEqual(new Set(['credited', 'duplicate']));
    await transfer(dbs[2] as Db, { from: one, to: two, amount: '1.00', idempotencyKey: 'after-the-release' });
    expect(await findingsOf(dbs[1] as Db)).toEqual([]);

    // A release without migrations may have another form as well.
    expect(await deployOverNodes({ url: cluster.url, project: release.project, lock: LOCK })).toEqual([]);
    expect(await faultsOf(cluster.url, release.project)).toEqual([]);
    // And the one before does not take it for its own.
    expect(await faultsOf(cluster.url)).not.toEqual([]);
  });
});

describe.skipIf(!hasCitus)('a form that is not the one of the release', { timeout: 300_000 }, () => {
  it('is found by db:verify, whose remedy makes it right', async () => {
    await using nodes = await startCitus({ workers: 1 });
    await applyPending(nodes.url, repository.migrations);
    const workers = nodes.workers.map(({ port }) => ({ host: '127.0.0.1', port }));
    await distributeDatabase({ url: nodes.url, sources: repository.distributed, workers });
    await using machine = await createTestDatabase();
    const [plain] = await machine.query(
      `SELECT pg_get_functiondef('core.post_transactions'::regproc) AS text`,
    );
    await execute(nodes.url, String(plain?.['text']));
    await execute(nodes.url, 'DROP FUNCTION lanes.write_balances');
    await execute(
      nodes.url,
      `CREATE OR REPLACE FUNCTION lanes.set_door(p_state text, p_more text) RETURNS text LANGUAGE sql AS 'SELECT p_state'`,
    );
    await execute(nodes.url, 'DROP TRIGGER history_through_the_form ON _prisma_migrations');
    const setting = 'citus.multi_shard_modify_mode';
    await execute(nodes.url, `ALTER DATABASE "${new URL(nodes.url).pathname.slice(1)}" RESET ${setting}`);
    await execute(nodes.url, 'CREATE TABLE services.forgotten (id integer)');
    await execute(
      nodes.url,
      `SET citus.enable_unsafe_triggers = on; SELECT undistribute_table('services.sms_opt_outs')`,
    );
    const found = await verificationOf(nodes.url);
    const outdated = found.filter(({ remedy }) => remedy.startsWith('Run db:distribute'));
    expect(outdated.map(({ what }) => what.split('\n')[0])).toEqual([
      'function core.post_transactions differs',
      'function lanes.set_door differs',
      'function lanes.write_balances is missing',
      'migrations may come past db:deploy',
      `sessions of some node begin without ${setting}=sequential`,
      'services.sms_opt_outs is not on every node',
      'only the coordinator knows the table services.forgotten',
    ]);
    const { exitCode, stdout, stderr } = await runCommandLine('distribute', nodes.url);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toContain('Its form is that of this release');
    await execute(nodes.url, 'DROP TABLE services.forgotten');
    expect(await faultsOf(nodes.url)).toEqual([]);

    // A table that the release keeps by lane, and the database does not, is nothing that can be mended.
    await execute(
      nodes.url,
      `SET citus.enable_unsafe_triggers = on; SELECT undistribute_table('services.mpesa_callbacks')`,
    );
    await expect(deployOverNodes({ url: nodes.url, project: repository, lock: LOCK })).rejects.toThrow(
      'this release keeps services.mpesa_callbacks by lane, where this database does not',
    );
  });
});
