import {
  auditLedger,
  createDb,
  findDeposit,
  listSuspense,
  lookupWallet,
  smsCostReport,
  walletStatement,
} from '@repo/db';
import type { Db } from '@repo/db';
import { execute } from '@repo/postgres/database';
import { createRandom } from '@repo/simulator';
import { requireRules } from '../audit/audit.ts';
import type { Customer } from '../data/payments.ts';
import { BenchmarkError } from '../lib/errors.ts';
import { percentile } from '../lib/percentiles.ts';
import { PATIENCE } from '../load/contest.ts';

/** What people and services read, and how long that takes; milliseconds. */
export interface Read {
  readonly what: string;
  readonly p50: number;
  readonly p99: number;
}

/** An audit that found nothing: how long it took, and how many transactions it looked at. */
export interface Audited {
  readonly seconds: number;
  readonly transactions: number;
}

const DAY_MS = 86_400_000;

/** Calls of a quick read, and of one that adds up many rows. */
const MANY = 300;
const FEW = 5;

/** Reads one after the other, each for another wallet or receipt. */
export async function measureReads(url: string, customers: readonly Customer[]): Promise<Read[]> {
  const db = createDb({ url, statementTimeoutMs: PATIENCE });
  try {
    const measured: Read[] = [];
    for (const [what, times, read] of await readsOf(db, url, customers)) {
      measured.push(await measureRead(what, times, read));
    }
    return measured;
  } finally {
    await db.close();
  }
}

/** What is read, how often, and whether it found what must be there. */
type Plan = readonly [what: string, times: number, read: () => Promise<boolean>];

async function readsOf(db: Db, url: string, customers: readonly Customer[]): Promise<readonly Plan[]> {
  const random = createRandom('growth');
  const wallet = () => customers[random.integer(customers.length)]?.number ?? '';
  const receipts = await pickReceipts(url);
  const versions = await readVersions(url);
  const now = Date.now();
  const report = (days: number) => async () => {
    const { totals } = await smsCostReport(db, {
      from: new Date(now - (days + 1) * DAY_MS),
      to: new Date(now - DAY_MS),
      by: 'day',
    });
    return totals.length > 0;
  };
  return [
    ['look-up of a wallet', MANY, async () => (await lookupWallet(db, wallet())) !== null],
    [
      'a deposit by its receipt',
      MANY,
      async () => (await findDeposit(db, receipts[random.integer(receipts.length)] ?? '')) !== null,
    ],
    [
      'statement, first page',
      MANY,
      async () => {
        const number = wallet();
        return (await walletStatement(db, { wallet: number })).wallet === number;
      },
    ],
    [
      'statement, last page',
      MANY,
      async () => {
        const number = wallet();
        const cursor = String(Math.max((versions.get(number) ?? 0) - 50, 0));
        return (await walletStatement(db, { wallet: number, cursor })).wallet === number;
      },
    ],
    ['suspense, first page', MANY, async () => (await listSuspense(db)).payments.length > 0],
    ['SMS costs of a day', FEW, report(1)],
    ['SMS costs of 30 days', FEW, report(30)],
  ];
}

async function measureRead(what: string, times: number, read: () => Promise<boolean>): Promise<Read> {
  const latencies: number[] = [];
  // The first call prepares the statement.
  for (let call = 0; call <= times; call += 1) {
    const begun = performance.now();
    if (!(await read())) throw new BenchmarkError('not_found', `${what}: it should be there.`);
    if (call > 0) latencies.push(performance.now() - begun);
  }
  const sorted = Float64Array.from(latencies).toSorted();
  return { what, p50: percentile(sorted, 50), p99: percentile(sorted, 99) };
}

/** Receipts of all times. */
async function pickReceipts(url: string): Promise<string[]> {
  const rows = await execute(
    url,
    `SELECT mpesa_receipt FROM services.mpesa_logs
      WHERE random() < 2000.0 / (SELECT greatest(reltuples, 2000) FROM pg_class WHERE oid = 'services.mpesa_logs'::regclass)`,
  );
  return rows.map((row) => String(row['mpesa_receipt']));
}

async function readVersions(url: string): Promise<Map<string, number>> {
  const rows = await execute(url, 'SELECT id, version FROM core.wallets');
  return new Map(rows.map((row) => [String(row['id']), Number(row['version'])]));
}

/**
 * Seconds of `db:audit`.
 *
 * @throws BenchmarkError `counts_wrong` when it finds anything, or another number of transactions
 */
export async function auditGrown(url: string, expected: number): Promise<Audited> {
  const db = createDb({ url, maxConnections: 1 });
  try {
    const begun = performance.now();
    const { transactions, checks } = await auditLedger(db);
    const seconds = (performance.now() - begun) / 1_000;
    const broken = checks.filter(({ faults }) => faults > 0).map(({ name }) => name);
    requireRules(
      {
        'the audit finds nothing': broken.length === 0,
        'every deposit is there once': transactions === expected,
      },
      { transactions, broken },
      { expected },
    );
    return { seconds, transactions };
  } finally {
    await db.close();
  }
}
