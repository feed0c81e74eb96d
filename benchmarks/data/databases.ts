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
  /** Lends a fresh database with the customers' wallets for as long as `work` takes; one of a kind at a time. */
  withFresh<Result>(kind: DatabaseKind, work: (url: string) => Promise<Result>): Promise<Result>;
}

/**
 * Starts a server with its default settings, fsync among them. A kind of database gets its template when it is first asked
 * for.
 *
 * @param texts how many messages `texts` has
 * @param settings of the server, which win over its usual ones
 */
export async function openDatabases(
  customers: readonly Customer[],
  texts: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<Databases> {
  const server = await startServer({ settings });
  const prepared = new Map<DatabaseKind, Promise<void>>();

  function prepare(kind: DatabaseKind): Promise<void> {
    const known = prepared.get(kind);
    if (known !== undefined) return known;
    const preparing = prepareTemplate(kind);
    prepared.set(kind, preparing);
    return preparing;
  }

  async function prepareTemplate(kind: DatabaseKind): Promise<void> {
    const base = BASES[kind];
    const name = templateOf(kind);
    if (base !== undefined) await prepare(base);
    const url =
      base === undefined
        ? await createDatabase(server.url, name)
        : await cloneDatabase(server.url, { template: templateOf(base), name });
    await FILL[kind](url, customers, texts);
  }

  return {
    server,
    async withFresh(kind, work) {
      await prepare(kind);
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

/** What a kind of database begins as. */
const BASES: Readonly<Partial<Record<DatabaseKind, DatabaseKind>>> = {
  textbook: 'ledger',
  funded: 'ledger',
  funded_textbook: 'funded',
  texts: 'ledger',
};

type Fill = (url: string, customers: readonly Customer[], texts: number) => Promise<void>;

/** What makes it its kind. */
const FILL: Readonly<Record<DatabaseKind, Fill>> = {
  async ledger(url, customers) {
    await migrateDatabase(ROOT, url);
    await openWallets(url, customers);
    await execute(url, 'VACUUM (ANALYZE)');
  },
  textbook: removeGuards,
  async funded(url, customers) {
    await fundWallets(url, customers);
    await execute(url, 'VACUUM (ANALYZE)');
  },
  funded_textbook: removeGuards,
  async texts(url, _, texts) {
    await queueTexts(url, { first: 1, count: texts });
    await execute(url, 'VACUUM (ANALYZE)');
  },
};

function templateOf(kind: DatabaseKind): string {
  return `template_${kind}`;
}

/** Opens the wallets of customers, with nothing in them. */
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

async function removeGuards(url: string): Promise<void> {
  await execute(url, REMOVE_GUARDS);
}
