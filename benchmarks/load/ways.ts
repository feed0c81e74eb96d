import { createDb, createDepositIntake, recordDeposit } from '@repo/db';
import type { Db, Deposit, DepositResult } from '@repo/db';
import type { DatabaseKind } from '../data/databases.ts';
import { BenchmarkError } from '../lib/errors.ts';
import { recordByTheBook } from './textbook.ts';

export const wayNames = ['textbook', 'call', 'intake'] as const;

export type WayName = (typeof wayNames)[number];

/** One way to record deposits, on an open database. */
export interface Way {
  /** Resolves when this deposit is committed. */
  record(deposit: Deposit): Promise<void>;
  close(): Promise<void>;
}

/** The database that a way works on. */
export function databaseOf(way: WayName): DatabaseKind {
  return way === 'textbook' ? 'textbook' : 'ledger';
}

/** All ways have what an application has that changes nothing: ten connections. */
export function openWay(name: WayName, url: string): Way {
  // 2,000 callers of a pool of ten shall wait for their turn and not fail.
  return OPENERS[name](createDb({ url, connectTimeoutMs: 120_000, statementTimeoutMs: 120_000 }));
}

const OPENERS: Readonly<Record<WayName, (db: Db) => Way>> = {
  textbook: (db) => ({
    record: (deposit) => recordByTheBook(db, deposit),
    close: () => db.close(),
  }),
  call: (db) => ({
    record: async (deposit) => requireCredit(await recordDeposit(db, deposit)),
    close: () => db.close(),
  }),
  intake: (db) => {
    const intake = createDepositIntake(db);
    return {
      record: async (deposit) => requireCredit(await intake.record(deposit)),
      close: async () => {
        await intake.close();
        await db.close();
      },
    };
  },
};

/** A deposit that went anywhere else would be counted for work that was not done. */
function requireCredit({ outcome }: DepositResult): void {
  if (outcome !== 'credited') throw new BenchmarkError('not_credited', `it is ${outcome}.`);
}
