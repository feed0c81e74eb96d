import { randomUUID } from 'node:crypto';
import { createDb, createLedgerIntake, createTransferIntake, openWallet, recordDeposit } from '@repo/db';
import type { Db, GroupCommitOptions } from '@repo/db';
import { stopServer } from '@repo/http';
import { createTestDatabase } from '@repo/postgres/testing';
import { shared } from '@repo/testing/shared';
import { createApp } from './app.ts';
import type { AppSettings } from './dependencies.ts';
import { readReceiptKeys } from './receipts/receipt-keys.ts';

export const TEST_KEY = 'test-key';

/** What a test says of a request; the key is the configured one unless it says another. */
export interface TestRequest {
  readonly method?: 'POST' | 'PATCH' | 'DELETE';
  readonly key?: string | null;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer whose body was JSON. */
export interface TestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The service on a free port over a database of its own, with everything a test wants to look at. */
export interface TestService extends AsyncDisposable {
  readonly url: string;
  readonly db: Db;
  /** Everything the service logged. */
  readonly lines: string[];
  /** Looks into the database past the service. */
  query(sql: string): Promise<Record<string, unknown>[]>;
  fetch(path: string, request?: TestRequest): Promise<Response>;
  ask(path: string, request?: TestRequest): Promise<TestAnswer>;
}

const TEST_SETTINGS: AppSettings = {
  apiKey: TEST_KEY,
  lookupRate: 100_000,
  verifyRate: 100_000,
  keyCacheMs: 60_000,
  logLevel: 'trace',
};

export async function startTestService(
  settings: Partial<AppSettings> = {},
  wrap: (db: Db) => Db = (db) => db,
  queue: GroupCommitOptions = {},
): Promise<TestService> {
  const database = await createTestDatabase();
  // Over nodes it asks a worker.
  const db = wrap(createDb({ url: database.urls.at(-1) ?? database.url }));
  const transfers = createTransferIntake(db, queue);
  const ledger = createLedgerIntake(db, queue);
  const { keys } = await readReceiptKeys(undefined);
  const lines: string[] = [];
  const server = await createApp(
    { db, transfers, ledger, receiptKeys: keys, settings: { ...TEST_SETTINGS, ...settings } },
    { logDestination: { write: (line) => lines.push(line) } },
  );
  const url = await server.app.listen({ host: '127.0.0.1', port: 0 });
  return {
    url,
    db,
    lines,
    query: database.query,
    fetch: (path, request) => send(url, path, request),
    ask: async (path, request) => readAnswer(await send(url, path, request)),
    [Symbol.asyncDispose]: async () => {
      await stopServer(server);
      await Promise.all([transfers.close(), ledger.close()]);
      await db.close();
      await database.drop();
    },
  };
}

/** One service for all tests of a file. */
export const useTestService = (): TestService => shared(() => startTestService());

/** Sends a request to a service; a body goes as JSON. */
export function send(url: string, path: string, request: TestRequest = {}): Promise<Response> {
  const { method = 'GET', key = TEST_KEY, body, headers } = request;
  return fetch(`${url}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

export async function readAnswer(response: Response): Promise<TestAnswer> {
  const body = (await response.json()) as TestAnswer['body'];
  return { status: response.status, headers: response.headers, body };
}

/** A request that moves money, under a new idempotency key unless the test says one. */
export function posting(body: unknown, idempotencyKey: string = randomUUID()): TestRequest {
  return { method: 'POST', body, headers: { 'idempotency-key': idempotencyKey } };
}

let phones = 0;

/** Opens a customer's wallet, puts money into it if asked, and gives its number. */
export async function openCustomer(db: Db, amount = '0.00', holderName = 'Jane Mwangi'): Promise<string> {
  phones += 1;
  // No phone that a test writes out ends in 555, so the two never meet.
  const phone = `2547${String(phones).padStart(5, '0')}555`;
  const { number } = await openWallet(db, { holderName, phone });
  if (amount !== '0.00') await deposit(db, { account: number, amount });
  return number;
}

let receipts = 0;

interface Payment {
  readonly account: string;
  readonly amount: string;
  readonly outcome?: 'credited' | 'suspense';
}

/** Pays in as M-PESA does, and gives the receipt. */
export async function deposit(db: Db, payment: Payment): Promise<string> {
  const { account, amount } = payment;
  receipts += 1;
  const receipt = `T${receipts.toString(36).toUpperCase().padStart(9, '0')}`;
  const { outcome } = await recordDeposit(db, {
    receipt,
    amount,
    shortCode: '600100',
    account,
    paidAt: new Date('2026-03-01T06:30:00.000Z'),
    payer: { phone: '254700000001', phoneHash: null, name: 'Atieno' },
    callback: { kind: 'C2B_CONFIRMATION', source: '196.201.214.200', body: Buffer.from('{}'), payload: null },
  });
  const wanted = payment.outcome ?? 'credited';
  if (outcome !== wanted) throw new Error(`the deposit was to be ${wanted} and is ${outcome}`);
  return receipt;
}

/** What is in a wallet, asked of the database. */
export async function balanceOf({ query }: Pick<TestService, 'query'>, number: string): Promise<unknown> {
  const [row] = await query(`SELECT balance::text FROM core.wallets WHERE id = '${number}'`);
  return row?.['balance'];
}

/** A fee of 3.00 that the sender pays, as if it had always been there. */
export async function addFeeRule(
  { query }: Pick<TestService, 'query'>,
  type: 'TRANSFER' | 'WITHDRAWAL',
): Promise<void> {
  await query(`
    WITH door AS MATERIALIZED (SELECT set_config('daftari.door', 'open', true) AS state)
    INSERT INTO core.fee_rules (transaction_type, flat, valid_from)
    SELECT '${type}', 3.00, '2020-01-01' FROM door WHERE door.state = 'open'`);
}

/** Lets a hold's time be over, which no clock in a test can be waited for, through the door's own setting. */
export async function endEarly({ query }: Pick<TestService, 'query'>, holdId: string): Promise<void> {
  await query(`
    WITH door AS MATERIALIZED (SELECT set_config('daftari.door', 'open', true) AS state)
    UPDATE core.holds h SET expires_at = '2026-01-01' FROM door WHERE h.id = '${holdId}' AND door.state = 'open'`);
}

/** Gives a transaction the reference that one from before this ledger may have; answers the hash that belongs to it. */
export async function makeOld(service: TestService, reference: string, old: string): Promise<string> {
  await service.query(`
    ALTER TABLE core.transactions DISABLE TRIGGER USER;
    UPDATE core.transactions
       SET reference = '${old}', verification_hash = core.verification_hash('${old}', amount, created_at)
     WHERE reference = '${reference}';
    ALTER TABLE core.transactions ENABLE TRIGGER USER`);
  const [row] = await service.query(
    `SELECT verification_hash FROM core.transactions WHERE reference = '${old}'`,
  );
  return String(row?.['verification_hash']);
}
