import { cloneDatabase, createDatabase, dropDatabase, execute } from '@repo/postgres/database';
import { migrateDatabase } from '@repo/postgres/migrations';
import { startServer } from '@repo/postgres/server';
import type { Server } from '@repo/postgres/server';
import { ROOT } from '../lib/program.ts';
import type { Customer } from './payments.ts';
import { queueTexts } from './texts.ts';
import { fundWallets } from './transfers.ts';

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
 * @param settings of the server, which win over its usual ones
 */
export async function openDatabases(
  customers: readonly Customer[],
  texts: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<Databases> {
  const server = await startServer({ settings });
  try {
    await prepareTemplates(server.url, customers, texts);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    server,
    async withFresh(kind, work) {
      const name = `bench_${kind}`;
      const url = await cloneDatabase(server.url, { template: templateOf(kind), name });
      try {
        return await work(url);
      } finally {
        // It also makes a checkpoint, so that what one measurement leaves to be written is not the next one's burden.
        await dropDatabase(server.url, name);
      }
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

async function prepareTemplates(serverUrl: string, customers: readonly Customer[], texts: number) {
  const copy = (from: DatabaseKind, to: DatabaseKind) =>
    cloneDatabase(serverUrl, { template: templateOf(from), name: templateOf(to) });
  const ledger = await createDatabase(serverUrl, templateOf('ledger'));
  await migrateDatabase(ROOT, ledger);
  await openWallets(ledger, customers);
  await execute(ledger, 'VACUUM (ANALYZE)');
  await execute(await copy('ledger', 'textbook'), REMOVE_GUARDS);
  const funded = await copy('ledger', 'funded');
  await fundWallets(funded, customers);
  await execute(funded, 'VACUUM (ANALYZE)');
  await execute(await copy('funded', 'funded_textbook'), REMOVE_GUARDS);
  if (texts === 0) return;
  const outbox = await copy('ledger', 'texts');
  await queueTexts(outbox, { first: 1, count: texts });
  await execute(outbox, 'VACUUM (ANALYZE)');
}

function templateOf(kind: DatabaseKind): string {
  return `template_${kind}`;
}

export async function openWallets(url: string, customers: readonly Customer[]): Promise<void> {
  // Numbers and phones are digits.
  const rows = customers.map(({ number, phone }) => `('${number}', '${phone}')`);
  await execute(
    url,
    `SELECT core.open_wallet(number, 'Customer ' || translate(number, '0123456789', 'abcdefghij'), phone)
       FROM (VALUES ${rows.join(', ')}) AS c (number, phone)`,
  );
}

/** Removes what refuses rows that do not come through the door. */
export const DROP_TRIGGERS = `
DO $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT tgname AS name, tgrelid::regclass AS owner FROM pg_trigger WHERE NOT tgisinternal LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', t.name, t.owner);
    END LOOP;
END
$$;`;

// The textbook's way writes balances and transactions directly, and keeps neither the order of a wallet's postings nor
// the balance after each.
const REMOVE_GUARDS = `
${DROP_TRIGGERS}
DROP INDEX core.transactions_debit_posting_key, core.transactions_credit_posting_key;`;
