import { createDb, createDepositIntake, createPaymentIntake, openWallet } from '@repo/db';
import type { Db, DbOptions } from '@repo/db';
import { stopServer } from '@repo/http';
import { startDatabaseProxy } from '@repo/postgres/proxy';
import type { DatabaseProxy } from '@repo/postgres/proxy';
import { createTestDatabase } from '@repo/postgres/testing';
import { openTarget } from '@repo/simulator';
import type { Target } from '@repo/simulator';
import { shared } from '@repo/testing/shared';
import { createApp } from './app.ts';
import { createDaraja } from './daraja/client.ts';
import type { DarajaSettings } from './daraja/settings.ts';
import type { AppSettings } from './dependencies.ts';
import { USUAL_TIMINGS } from './payments/timings.ts';
import type { PaymentTimings } from './payments/timings.ts';

export const TEST_TOKEN = 'V1StGXR8Z5jdHi6BmyT0kL9w';
export const TEST_KEY = 'test-key';

/** The service on a free port over a database of its own, with everything a test wants to look at. */
export interface TestService extends AsyncDisposable {
  readonly url: string;
  readonly db: Db;
  readonly target: Target;
  readonly database: TestStore;
  /** Everything the service logged. */
  readonly lines: string[];
  /** Cuts the service off from its database, and lets it back in. */
  readonly network: DatabaseProxy;
}

/** Looks into a database past the service. */
interface TestStore {
  readonly url: string;
  query(sql: string): Promise<Record<string, unknown>[]>;
}

/** What a test may say of the service beside its settings. */
export interface TestOptions extends Pick<DbOptions, 'maxConnections' | 'maxWaiting'> {
  /** Phones can be asked for payments. */
  readonly daraja?: DarajaSettings;
  readonly timings?: Partial<PaymentTimings>;
}

export async function startTestService(
  settings: Partial<AppSettings> = {},
  { daraja: account, timings, ...pool }: TestOptions = {},
): Promise<TestService> {
  const database = await createTestDatabase();
  // Over nodes it asks a worker.
  const network = await startDatabaseProxy(database.urls.at(-1) ?? database.url);
  const db = createDb({ url: network.url, connectTimeoutMs: 60_000, ...pool });
  const intake = createDepositIntake(db.patient);
  const payments = createPaymentIntake(db.patient);
  const daraja = account === undefined ? null : createDaraja(db, account);
  const lines: string[] = [];
  const server = await createApp(
    {
      db,
      intake,
      payments,
      daraja,
      timings: { ...USUAL_TIMINGS, ...timings },
      settings: { ...TEST_SETTINGS, ...settings },
    },
    { logDestination: { write: (line) => lines.push(line) } },
  );
  const url = await server.app.listen({ host: '127.0.0.1', port: 0 });
  const target = openTarget({ url, token: TEST_TOKEN });
  return {
    url,
    db,
    target,
    lines,
    network,
    database,
    [Symbol.asyncDispose]: async () => {
      await target.close();
      await stopServer(server);
      await intake.close();
      await payments.close();
      await daraja?.close();
      await db.close();
      await network[Symbol.asyncDispose]();
      await database.drop();
    },
  };
}

/** One service for all tests of a file. */
export const useTestService = (): TestService => shared(() => startTestService());

const TEST_SETTINGS: AppSettings = {
  apiKey: TEST_KEY,
  callbackToken: TEST_TOKEN,
  validation: 'accept',
  sourceCheck: { mode: 'off', allowlist: [] },
  trustProxy: [],
  logLevel: 'trace',
};

/** Opens a customer's wallet and gives its number. */
export async function openCustomerWallet(db: Db, phone = '254700000126'): Promise<string> {
  const wallet = await openWallet(db, { holderName: 'Atieno Otieno', phone });
  return wallet.number;
}

/** What `GET /deposits/:receipt` answers with the test's key. */
export async function getDeposit(service: Pick<TestService, 'url'>, receipt: string): Promise<Response> {
  return fetch(`${service.url}/deposits/${receipt}`, { headers: { authorization: `Bearer ${TEST_KEY}` } });
}
