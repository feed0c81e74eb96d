import { createDb } from '@repo/db';
import type { Db } from '@repo/db';
import type { Databases } from '../data/databases.ts';
import type { Customer, Payments } from '../data/payments.ts';
import type { Pace } from './options.ts';
import type { Transfers } from '../data/transfers.ts';

/** What every measurement works with. */
export interface Workbench {
  readonly databases: Databases;
  readonly customers: readonly Customer[];
  readonly payments: Payments;
  readonly transfers: Transfers;
  readonly pace: Pace;
}

/** Where a measurement stands among the others. */
export interface Turn {
  readonly round: number;
  /** Says what is measured now. */
  readonly say: (what: string) => void;
}

/** The connections of every way: what an application has that changes nothing. */
export const CONNECTIONS = 10;

/** A database on which 2,000 callers of ten connections wait for their turn and do not fail. */
export function openPatiently(url: string): Db {
  return createDb({
    url,
    maxConnections: CONNECTIONS,
    connectTimeoutMs: 120_000,
    statementTimeoutMs: 120_000,
  });
}
