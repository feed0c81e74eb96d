import type { Client } from 'pg';
import { afterAll } from 'vitest';
import { createDb } from '../../connection/db.ts';
import type { Db } from '../../connection/db.ts';
import { isDaftariError } from '../../errors.ts';
import { untilWaiting } from '../database/lock-waiters.ts';
import { isOverNodes } from '../database/nodes.ts';
import { connect, sqlOf } from '../database/test-db.ts';

/** What a caller got: `done`, or the code of the refusal. Anything else fails the test. */
type Told = string;

async function toldOf(request: Promise<unknown>): Promise<Told> {
  try {
    await request;
    return 'done';
  } catch (error) {
    if (isDaftariError(error)) return error.code;
    throw error;
  }
}

/** Connections that stay open between the meetings of a test file: new ones would cost each more than its statements. */
export interface Race {
  readonly url: () => string;
  readonly callers: Db[];
  readonly holders: Client[];
}

/** The connections for all races of a test file in its database. */
export function useRace(database: { readonly url: string }): Race {
  const race: Race = { url: () => database.url, callers: [], holders: [] };
  // Registered after the database's own, and so called before it.
  afterAll(async () => {
    await Promise.all(race.holders.map((holder) => holder.end()));
    await Promise.all(race.callers.map((db) => db.close()));
  });
  return race;
}

const LOCK = 'SELECT 1 FROM core.wallets WHERE id = ANY ($1) ORDER BY id FOR UPDATE';

/** Each lane is asked by itself. */
const LOCK_OVER_NODES = 'SELECT core.lock_wallets($1)';

/**
 * Starts every request on a connection of its own while the wallet (or each of several) is locked, waits until all of
 * them wait for it, and lets them go: they truly meet. Returns what each got, in the order of the requests.
 */
export async function meet(
  race: Race,
  wallet: string | readonly string[],
  requests: readonly ((db: Db) => Promise<unknown>)[],
): Promise<Told[]> {
  const url = race.url();
  while (race.callers.length < requests.length) race.callers.push(createDb({ url, maxConnections: 1 }));
  if (race.holders.length === 0) race.holders.push(await connect(url), await connect(url));
  const [holder, observer] = race.holders as [Client, Client];
  await holder.query('BEGIN');
  try {
    await holder.query(isOverNodes ? LOCK_OVER_NODES : LOCK, [[wallet].flat()]);
    const told = Promise.all(requests.map((request, i) => toldOf(request(race.callers[i] as Db))));
    await untilWaiting(sqlOf(observer), requests.length);
    await holder.query('COMMIT');
    return await told;
  } finally {
    // After the commit this does nothing; after a failure it lets the callers go.
    await holder.query('ROLLBACK');
  }
}

/** How many of the answers are which. */
export function tally(told: readonly Told[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of told) counts[one] = (counts[one] ?? 0) + 1;
  return counts;
}
