import { createDb, openWallet } from '@repo/db';
import { execute } from '@repo/postgres/database';
import { startPgBouncer } from '@repo/postgres/pgbouncer';
import { createRandom } from '@repo/simulator';
import { until } from '@repo/testing/until';
import { auditDatabase } from '../audit.ts';
import { countConnections, ownUrl } from './connections.ts';
import type { Connections } from './connections.ts';
import { APPS, startCrowd } from './crowd.ts';
import type { Crowd, CrowdSize } from './crowd.ts';
import { openCustomers } from './customers.ts';
import type { Customers, CustomersBook } from './customers.ts';

export interface PoolTrialOptions {
  /** A migrated database without wallets, at the server itself. */
  readonly databaseUrl: string;
  readonly size: CrowdSize;
  /** `DATABASE_CONNECTIONS` of each process. */
  readonly connections: number;
  /** Connections of PgBouncer to the server. */
  readonly poolSize: number;
  readonly customers: number;
  /** Rounds of each customer: a payment and a transfer. */
  readonly rounds: number;
  /** Processes of each kind that are killed on the way; never those that send messages, which may send twice then. */
  readonly kills: number;
  readonly seed: string;
  readonly say: (line: string) => void;
}

export interface PoolTrialReport {
  readonly processes: number;
  readonly killed: number;
  /** The most that were open at once. */
  readonly connections: Connections;
  /** What there may be at most. */
  readonly bounds: Connections;
  readonly payments: number;
  readonly transfers: number;
  /** From the first payment to the last answer. */
  readonly seconds: number;
  readonly faults: readonly string[];
}

/** Has many processes of all services do their work through one PgBouncer, by the transaction. */
export async function runPoolTrial(options: PoolTrialOptions): Promise<PoolTrialReport> {
  const { databaseUrl, size, connections, poolSize, say } = options;
  const processes = APPS.reduce((sum, app) => sum + size[app], 0);
  const bounds = { server: poolSize, clients: processes * connections };
  await using pooler = await startPgBouncer(databaseUrl, {
    mode: 'transaction',
    size: poolSize,
    settings: [
      `max_client_conn = ${String(bounds.clients + 10)}`,
      `admin_users = ${decodeURIComponent(new URL(databaseUrl).username)}`,
    ],
  });
  const adminUrl = new URL(pooler.url);
  adminUrl.pathname = '/pgbouncer';
  // Before anything is counted: these connections are not the pooler's.
  const wallets = await openWallets(databaseUrl, options.customers);
  const counting = countConnections({ serverUrl: databaseUrl, adminUrl: adminUrl.href });
  await using crowd = await startCrowd({ size, databaseUrl: pooler.url, connections, say });
  await using customers = openCustomers(crowd, createRandom(options.seed));
  const begun = performance.now();
  const [killed] = await Promise.all([
    killSome(crowd, options, customers),
    useAll(customers, wallets, options),
  ]);
  const seconds = (performance.now() - begun) / 1_000;
  say('every customer has been served');
  await untilSent(databaseUrl);
  const seen = await counting.end();
  const errors = crowd.members.reduce((sum, member) => sum + member.errors.length, 0);
  const { book } = customers;
  return {
    processes,
    killed,
    connections: seen,
    bounds,
    payments: book.receipts.length,
    transfers: book.transfers,
    seconds,
    faults: [
      ...(seen.server > bounds.server ? [`${String(seen.server)} connections to the server`] : []),
      ...(seen.clients > bounds.clients ? [`${String(seen.clients)} connections to the pooler`] : []),
      ...(errors === 0 ? [] : [`${String(errors)} errors in the logs of the services`]),
      ...(await compareBooks(databaseUrl, book)),
    ],
  };
}

async function openWallets(databaseUrl: string, count: number): Promise<string[]> {
  const db = createDb({ url: databaseUrl, maxConnections: 2 });
  try {
    const opening = Array.from({ length: count }, (_, place) =>
      openWallet(db, { holderName: 'Amina Otieno', phone: `254700${String(100_000 + place)}` }),
    );
    return (await Promise.all(opening)).map(({ number }) => number);
  } finally {
    await db.close();
  }
}

async function useAll(
  customers: Customers,
  wallets: readonly string[],
  { rounds }: PoolTrialOptions,
): Promise<void> {
  const useOnAndOn = async (wallet: string, place: number): Promise<void> => {
    const next = wallets[(place + 1) % wallets.length] ?? wallet;
    for (let round = 0; round < rounds; round += 1) {
      await customers.pay(wallet);
      await customers.transfer(wallet, next);
    }
  };
  await Promise.all(wallets.map(useOnAndOn));
}

/** Kills processes one after another, each after a share of the payments; how many. */
async function killSome(
  crowd: Crowd,
  { kills, rounds, customers: count }: PoolTrialOptions,
  customers: Customers,
): Promise<number> {
  const victims = (['mpesa', 'wallet'] as const).flatMap((app) => crowd.of(app).slice(0, kills));
  for (const [place, victim] of victims.entries()) {
    const due = Math.floor(((place + 1) * rounds * count) / (victims.length + 1));
    await until('payments before a kill', () => customers.book.receipts.length >= due);
    await victim.kill();
  }
  return victims.length;
}

async function untilSent(databaseUrl: string): Promise<void> {
  await until('every message has gone out', async () => {
    const [row] = await execute(
      ownUrl(databaseUrl),
      `SELECT count(*)::int AS n FROM services.sms_logs WHERE status <> 'SENT'`,
    );
    return row?.['n'] === 0;
  });
}

async function compareBooks(databaseUrl: string, { balances, receipts }: CustomersBook): Promise<string[]> {
  const rows = (await execute(
    databaseUrl,
    `SELECT id, (balance * 100)::int AS cents FROM core.wallets WHERE kind = 'CUSTOMER'`,
  )) as { id: string; cents: number }[];
  const wrong = rows.filter(({ id, cents }) => cents !== (balances.get(id) ?? 0)).length;
  const [row] = await execute(
    databaseUrl,
    `SELECT (SELECT count(*)::int FROM services.mpesa_logs
              WHERE mpesa_receipt = ANY ('{${receipts.join(',')}}')) AS credited,
            (SELECT count(*)::int FROM services.mpesa_logs) AS logs,
            (SELECT count(*)::int FROM services.sms_logs WHERE attempts <> 1) AS repeated`,
  );
  const { credited, logs, repeated } = row as { credited: number; logs: number; repeated: number };
  const { isRight, lines } = await auditDatabase(databaseUrl);
  return [
    ...(wrong === 0 ? [] : [`${String(wrong)} wallets differ from what their customers did`]),
    ...(credited === receipts.length && logs === credited
      ? []
      : [`${String(receipts.length)} payments, ${String(credited)} credited, ${String(logs)} recorded`]),
    ...(repeated === 0 ? [] : [`${String(repeated)} messages were not sent once`]),
    ...(isRight ? [] : lines),
  ];
}
