import { auditLedger, createDb, createDepositIntake, createTransferIntake, recordDeposits } from '@repo/db';
import type { Db, Deposit } from '@repo/db';
import { auditDeposits } from '../audit/deposits.ts';
import { openWallets } from '../data/databases.ts';
import type { Customer, Supply } from '../data/payments.ts';
import { BenchmarkError } from '../lib/errors.ts';
import { readProcessorTimes, spentBetween } from '../lib/processor-time.ts';
import { runLoad } from '../load/callers.ts';
import { PATIENCE } from '../load/contest.ts';
import type { Place } from './places.ts';

export interface Load {
  readonly customers: readonly Customer[];
  readonly payments: Supply<Deposit>;
  /** What is measured: payments into wallets, or transfers between any two of them, which are mostly of two lanes. */
  readonly what: 'deposits' | 'transfers';
  readonly callers: number;
  readonly seconds: number;
}

export interface Figures {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Processor time of all servers a deposit, from the first to the last. */
  readonly microseconds: number;
  readonly failed: number;
}

/** Records deposits or transfers in a fresh database of a place, and compares its books with what was acknowledged. */
export async function measurePlace(
  place: Place,
  { customers, payments, what, callers, seconds }: Load,
): Promise<Figures> {
  await using opened = await place.open();
  const { url, servers } = opened;
  // In one transaction each: one that opened them all would be long on every node.
  for (let from = 0; from < customers.length; from += 100)
    await openWallets(url, customers.slice(from, from + 100));
  const db = createDb({ url, maxConnections: 20, connectTimeoutMs: PATIENCE, statementTimeoutMs: PATIENCE });
  const work = what === 'deposits' ? depositing(db, place, payments) : await transferring(db, customers);
  const before = await Promise.all(servers.map(readProcessorTimes));
  const load = { callers, warmUp: 1_000, warmUpAtMost: 60_000, window: seconds * 1_000 };
  const recording = runLoad(({ place: at }) => work.ask(at), load);
  await place.disturb?.(url);
  const measured = await recording;
  const after = await Promise.all(servers.map(readProcessorTimes));
  const spent = after.reduce((sum, times, index) => sum + spentBetween(before[index] ?? new Map(), times), 0);
  await work.close();
  if (what === 'deposits') await auditDeposits(url, 'ledger', measured);
  else await requireSound(db);
  await db.close();
  return { ...measured, microseconds: (spent * 1_000) / measured.acknowledged };
}

/** What callers ask for, each by a number of its own. */
interface Work {
  readonly ask: (at: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

function depositing(db: Db, { lanes }: Place, payments: Supply<Deposit>): Work {
  const intake = createDepositIntake(db, { lanes });
  return {
    async ask(at) {
      const { outcome } = await intake.record(payments.at(at));
      if (outcome !== 'credited') throw new BenchmarkError('not_credited', `it is ${outcome}.`);
    },
    close: () => intake.close(),
  };
}

/** So much that no wallet runs out of money. */
const OPENING = '100000.00';

async function transferring(db: Db, customers: readonly Customer[]): Promise<Work> {
  const paidAt = new Date();
  const payer = { phone: '254700000001', phoneHash: null, name: 'ATIENO' };
  const callback = {
    kind: 'C2B_CONFIRMATION',
    source: null,
    body: Buffer.from('{}'),
    payload: null,
  } as const;
  const openings = customers.map(({ number: account }, at): Deposit => {
    const receipt = `QKT${String(at).padStart(7, '0')}`;
    return { receipt, amount: OPENING, shortCode: '600123', account, paidAt, payer, callback };
  });
  for (let from = 0; from < openings.length; from += 100)
    await recordDeposits(db, openings.slice(from, from + 100));
  const intake = createTransferIntake(db);
  const numberAt = (at: number): string => customers[at % customers.length]?.number ?? '';
  return {
    async ask(at) {
      // Steps without a common divisor with the number of wallets, so that pairs do not repeat.
      const [from, to] = [numberAt(at * 7), numberAt(at * 7 + 1 + (at % 997))];
      await intake.transfer({ from, to, amount: '1.00', idempotencyKey: `bench-${String(at)}` });
    },
    close: () => intake.close(),
  };
}

async function requireSound(db: Db): Promise<void> {
  const { checks } = await auditLedger(db);
  const faults = checks.reduce((sum, check) => sum + check.faults, 0);
  if (faults > 0) throw new BenchmarkError('counts_wrong', `db:audit finds ${String(faults)} faults.`);
}
