import type { Handle, Statement, Value } from '../connection/handle.ts';
import { query } from '../connection/handle.ts';

/** A hold that is over and could not be given back: people must look at it and its wallet. */
export interface FailedExpiry {
  readonly holdId: string;
  /** What the database refused: an SQLSTATE, and the constraint where there is one. */
  readonly failure: string;
}

export interface ExpiredHolds {
  /** How many gave their money back. */
  readonly expired: number;
  readonly failed: readonly FailedExpiry[];
}

/**
 * Gives back the money of holds whose time is over, a hundred at most. Call it until `expired` is 0. A hold that cannot
 * be given back stops no other: `failed` lists it, and the next call tries it again.
 */
export async function expireHolds(db: Handle): Promise<ExpiredHolds> {
  const failed: FailedExpiry[] = [];
  let after: readonly Value[] = [null, null];
  for (;;) {
    const rows = await query<ExpiryRow>(db, EXPIRE, [BATCH, ...after]);
    for (const { id, failure } of rows) if (failure !== null) failed.push({ holdId: id, failure });
    const expired = rows.filter(({ outcome }) => outcome === 'posted').length;
    const last = rows.at(-1);
    // A batch of failures alone hides what is behind it.
    if (expired > 0 || last === undefined || rows.length < BATCH) return { expired, failed };
    after = [last.expires_at, last.id];
  }
}

/** As few as one batch should lock the wallets of. */
const BATCH = 100;

interface ExpiryRow {
  readonly id: string;
  readonly expires_at: string;
  readonly outcome: 'posted' | 'refused' | 'failed';
  readonly failure: string | null;
}

const EXPIRE: Statement = {
  name: 'holds_expire',
  text: `
SELECT hold_id::text AS id, expires_at::text AS expires_at, outcome, failure
  FROM core.expire_holds($1::integer, $2::timestamp, $3::uuid)`,
};
