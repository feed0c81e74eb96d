import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cloneDatabase, createDatabase, dropDatabase, execute } from '@repo/postgres/database';
import { startServer } from '@repo/postgres/server';
import type { Server } from '@repo/postgres/server';
import { Client } from 'pg';
import type { Customer } from './payments.ts';
import { ROOT, commandEnvironment } from '../lib/env.ts';
import { BenchmarkError } from '../lib/errors.ts';
import { fundWallets } from './funding.ts';
import { queueTexts } from './texts.ts';

const run = promisify(execFile);

/**
 * `ledger` is what is deployed; `textbook` is the same without what would refuse the textbook's way. In the funded ones
 * there is money in the wallets; `texts` has messages in its outbox.
 */
export type DatabaseKind = 'ledger' | 'textbook' | 'funded' | 'funded_textbook' | 'texts';

/** A durable server of its own, and fresh databases on it. */
export interface Databases extends AsyncDisposable {
  readonly server: Server;
  /** Lends a fresh database with the customers' wallets for as long as `work` takes. */
  withFresh<Result>(kind: DatabaseKind, work: (url: string) => Promise<Result>): Promise<Result>;
}

/**
 * Starts a server with its default settings, fsync among them, and makes the templates.
 *
 * @param texts how many messages `texts` has; there is no such template when it is 0
 */
export async function openDatabases(customers: readonly Customer[], texts: number): Promise<Databases> {
  const server = await startServer();
  try {
    await prepareTemplates(server.url, customers);
    if (texts > 0) await prepareTexts(server.url, texts);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    server,
    withFresh: (kind, work) => withFresh(server.url, kind, work),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

async function withFresh<Result>(
  serverUrl: string,
  kind: DatabaseKind,
  work: (url: string) => Promise<Result>,
): Promise<Result> {
  const name = `bench_${kind}`;
  const url = await cloneDatabase(serverUrl, { template: templateOf(kind), name });
  try {
    return await work(url);
  } finally {
    // It also makes a checkpoint, so that what one measurement leaves to be written is not the next one's burden.
    await dropDatabase(serverUrl, name);
  }
}

async function prepareTemplates(serverUrl: string, customers: readonly Customer[]): Promise<void> {
  const ledger = await createDatabase(serverUrl, templateOf('ledger'));
  await migrate(ledger);
  await openWallets(ledger, customers);
  await execute(ledger, 'VACUUM (ANALYZE)');
  await execute(await copyTemplate(serverUrl, 'ledger', 'textbook'), REMOVE_GUARDS);
  const funded = await copyTemplate(serverUrl, 'ledger', 'funded');
  await fundWallets(funded, customers);
  await execute(funded, 'VACUUM (ANALYZE)');
  await execute(await copyTemplate(serverUrl, 'funded', 'funded_textbook'), REMOVE_GUARDS);
}

async function prepareTexts(serverUrl: string, count: number): Promise<void> {
  const texts = await copyTemplate(serverUrl, 'ledger', 'texts');
  await queueTexts(texts, { first: 1, count });
  await execute(texts, 'VACUUM (ANALYZE)');
}

function copyTemplate(serverUrl: string, from: DatabaseKind, to: DatabaseKind): Promise<string> {
  return cloneDatabase(serverUrl, { template: templateOf(from), name: templateOf(to) });
}

function templateOf(kind: DatabaseKind): string {
  return `template_${kind}`;
}

/** By the command that is used in production. */
export async function migrate(url: string): Promise<void> {
  try {
    await run(join(ROOT, 'node_modules', '.bin', 'prisma'), ['migrate', 'deploy'], {
      cwd: ROOT,
      env: commandEnvironment({ DATABASE_URL: url }),
    });
  } catch (cause) {
    throw new BenchmarkError('command_failed', `prisma migrate deploy. ${String(cause)}`, { cause });
  }
}

async function openWallets(url: string, customers: readonly Customer[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(
      `SELECT core.open_wallet(number, 'Customer ' || translate(number, '0123456789', 'abcdefghij'), phone) FROM unnest($1::text[], $2::text[]) AS c (number, phone)`,
      [customers.map(({ number }) => number), customers.map(({ phone }) => phone)],
    );
  } finally {
    await client.end();
  }
}

// The textbook's way writes balances and transactions directly, and keeps neither the order of a wallet's postings nor
// the balance after each.
const REMOVE_GUARDS = `
DO $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT tgname AS name, tgrelid::regclass AS owner FROM pg_trigger WHERE NOT tgisinternal LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', t.name, t.owner);
    END LOOP;
END
$$;
DROP INDEX core.transactions_debit_posting_key, core.transactions_credit_posting_key;`;
