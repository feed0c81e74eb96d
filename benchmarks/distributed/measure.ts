import { createDb, createDepositIntake } from '@repo/db';
import type { Deposit } from '@repo/db';
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

/** Records deposits in a fresh database of a place, and compares its books with what was acknowledged. */
export async function measurePlace(
  place: Place,
  { customers, payments, callers, seconds }: Load,
): Promise<Figures> {
  await using opened = await place.open();
  const { url, servers } = opened;
  // In one transaction each: one that opened them all would be long on every node.
  for (let from = 0; from < customers.length; from += 100)
    await openWallets(url, customers.slice(from, from + 100));
  const db = createDb({ url, maxConnections: 20, connectTimeoutMs: PATIENCE, statementTimeoutMs: PATIENCE });
  const intake = createDepositIntake(db, { lanes: place.lanes });
  const before = await Promise.all(servers.map(readProcessorTimes));
  const load = { callers, warmUp: 1_000, warmUpAtMost: 60_000, window: seconds * 1_000 };
  const recording = runLoad(async ({ place: at }) => {
    const { outcome } = await intake.record(payments.at(at));
    if (outcome !== 'credited') throw new BenchmarkError('not_credited', `it is ${outcome}.`);
  }, load);
  await place.disturb?.(url);
  const measured = await recording;
  const after = await Promise.all(servers.map(readProcessorTimes));
  const spent = after.reduce((sum, times, index) => sum + spentBetween(before[index] ?? new Map(), times), 0);
  await intake.close();
  await db.close();
  await auditDeposits(url, 'ledger', measured);
  return { ...measured, microseconds: (spent * 1_000) / measured.acknowledged };
}
