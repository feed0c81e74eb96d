import { createDb } from '../../connection/db.ts';
import type { Db } from '../../connection/db.ts';
import { isDaftariError } from '../../errors.ts';
import { untilWaiting } from '../database/lock-waiters.ts';
import { connect } from '../database/test-db.ts';

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

/**
 * Starts every request on a connection of its own while the wallet (or each of several) is locked, waits until all of
 * them wait for it, and lets them go: they truly meet. Returns what each got, in the order of the requests.
 */
export async function meet(
  url: string,
  wallet: string | readonly string[],
  requests: readonly ((db: Db) => Promise<unknown>)[],
): Promise<Told[]> {
  const dbs = requests.map(() => createDb({ url, maxConnections: 1 }));
  const holder = await connect(url);
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM core.wallets WHERE id = ANY ($1) ORDER BY id FOR UPDATE', [
      [wallet].flat(),
    ]);
    const told = Promise.all(dbs.map((db, i) => toldOf(requests[i]?.(db) ?? Promise.resolve())));
    await untilWaiting(url, requests.length);
    await holder.query('COMMIT');
    return await told;
  } finally {
    await holder.end();
    await Promise.all(dbs.map((db) => db.close()));
  }
}

/** How many of the answers are which. */
export function tally(told: readonly Told[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of told) counts[one] = (counts[one] ?? 0) + 1;
  return counts;
}
