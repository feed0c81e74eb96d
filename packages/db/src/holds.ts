import type { Handle } from './db.ts';
import { DaftariError } from './errors.ts';
import { readBack, readPosted, referenceOf, refusal } from './posted.ts';
import type { Answer, Posted } from './posted.ts';
import { newReference } from './reference.ts';
import { isUuid, requestDigest, requireAmount, requireText, requireTime } from './request.ts';
import { query } from './statement.ts';
import type { Statement } from './statement.ts';

export type HoldStatus = 'ACTIVE' | 'CAPTURED' | 'RELEASED' | 'EXPIRED';

/** Money that is reserved for a payout. Amounts are decimal strings with two decimals. */
export interface Hold {
  readonly id: string;
  readonly wallet: string;
  readonly amount: string;
  /** What was paid out of it. */
  readonly captured: string;
  readonly status: HoldStatus;
  readonly expiresAt: Date | null;
  readonly createdAt: Date;
  /** What the wallet can spend at this moment. */
  readonly available: string;
  /** Whether this is the answer to an earlier request. */
  readonly replayed: boolean;
}

/**
 * Reserves money of a wallet: it stays in the balance and can no longer be spent. Once for its key; a refusal is
 * remembered.
 *
 * @throws DaftariError `insufficient_funds`, `wallet_frozen`, `wallet_closed`, `unknown_wallet`, `invalid_amount`,
 * `key_reused`, `invalid_request`
 */
export async function hold(
  db: Handle,
  request: {
    readonly wallet: string;
    readonly amount: string;
    readonly idempotencyKey: string;
    /** When it ends by itself; never unless said. */
    readonly expiresAt?: Date;
    readonly narrative?: string;
  },
): Promise<Hold> {
  requireText('wallet', request.wallet, 20);
  requireText('idempotencyKey', request.idempotencyKey, 255);
  if (request.narrative !== undefined) requireText('narrative', request.narrative, 255);
  const amount = requireAmount(request.amount);
  const expiresAt = request.expiresAt === undefined ? null : requireTime('expiresAt', request.expiresAt);
  const narrative = request.narrative ?? null;
  const digest = requestDigest('hold', [request.wallet, amount, expiresAt, narrative]);
  const values = [request.idempotencyKey, digest, request.wallet, amount, expiresAt, narrative];
  const answer = await ask(db, PLACE, values);
  return readHold(db, referenceOf(answer), answer.outcome === 'replayed');
}

/**
 * Pays out of a hold, whole or part, once for its key; the rest goes back to the wallet and the hold is closed. Of a
 * capture, a release and the expiry that race, one wins and the others are told `hold_closed`.
 *
 * @throws DaftariError `unknown_hold`, `hold_closed`, `exceeds_hold`, `key_reused`, and those of `transfer`
 */
export async function captureHold(
  db: Handle,
  request: {
    readonly holdId: string;
    /** A customer's wallet, or a system wallet such as `MPESA-FLOAT` for money that leaves. */
    readonly to: string;
    /** The whole unless said. */
    readonly amount?: string;
    readonly idempotencyKey: string;
    readonly narrative?: string;
  },
): Promise<Posted & { readonly hold: Hold }> {
  requireId(request.holdId);
  requireText('to', request.to, 20);
  requireText('idempotencyKey', request.idempotencyKey, 255);
  if (request.narrative !== undefined) requireText('narrative', request.narrative, 255);
  const amount = request.amount === undefined ? null : requireAmount(request.amount);
  const narrative = request.narrative ?? null;
  const digest = requestDigest('capture', [request.holdId, request.to, amount, narrative]);
  const answer = await ask(db, CAPTURE, [
    request.idempotencyKey,
    digest,
    request.holdId,
    request.to,
    amount,
    newReference(),
    narrative,
  ]);
  const replayed = answer.outcome === 'replayed';
  const posted = await readPosted(db, referenceOf(answer), replayed);
  return { ...posted, hold: await readHold(db, request.holdId, replayed) };
}

/**
 * Gives a hold's money back to its wallet. Said again it answers the same.
 *
 * @throws DaftariError `unknown_hold`, or `hold_closed` when it was captured or has expired
 */
export async function releaseHold(db: Handle, request: { readonly holdId: string }): Promise<Hold> {
  requireId(request.holdId);
  const answer = await ask(db, RELEASE, [request.holdId, 'RELEASED']);
  if (answer.reason !== null) throw refusal(answer.reason);
  return readHold(db, request.holdId, answer.outcome === 'replayed');
}

/** Gives back the money of holds whose time is over, a thousand at most; call it until it finds none. */
export async function expireHolds(db: Handle): Promise<{ readonly expired: number }> {
  const due = await query<{ id: string }>(db, DUE, []);
  let expired = 0;
  for (const { id } of due) {
    const answer = await ask(db, RELEASE, [id, 'EXPIRED']);
    if (answer.outcome === 'posted') expired += 1;
  }
  return { expired };
}

async function ask(db: Handle, statement: Statement, values: readonly (string | null)[]): Promise<Answer> {
  const [answer] = await query<Answer>(db, statement, values);
  if (answer === undefined) throw new DaftariError('database_error');
  return answer;
}

async function readHold(db: Handle, id: string, replayed: boolean): Promise<Hold> {
  const [row] = await readBack(() => query<HoldRow>(db, READ, [id]));
  if (row === undefined) throw new DaftariError('unknown_hold');
  return {
    id: row.id,
    wallet: row.wallet_id,
    amount: row.amount,
    captured: row.captured,
    status: row.status,
    expiresAt: row.expires_at_ms === null ? null : new Date(Number(row.expires_at_ms)),
    createdAt: new Date(Number(row.created_at_ms)),
    available: row.available,
    replayed,
  };
}

function requireId(id: string): void {
  if (!isUuid(id)) throw new DaftariError('unknown_hold');
}

interface HoldRow {
  readonly id: string;
  readonly wallet_id: string;
  readonly amount: string;
  readonly captured: string;
  readonly status: HoldStatus;
  readonly expires_at_ms: string | null;
  readonly created_at_ms: string;
  readonly available: string;
}

const PLACE: Statement = {
  name: 'hold_place',
  text: `SELECT outcome, reason, hold_id::text AS reference
  FROM core.place_hold($1::text, $2::text, $3::text, $4::numeric, $5::timestamp, $6::text)`,
};

const CAPTURE: Statement = {
  name: 'hold_capture',
  text: `SELECT outcome, reason, reference
  FROM core.capture_hold($1::text, $2::text, $3::uuid, $4::text, $5::numeric, $6::text, $7::text)`,
};

const RELEASE: Statement = {
  name: 'hold_release',
  text: `SELECT outcome, reason, NULL AS reference FROM core.release_hold($1::uuid, $2::text)`,
};

const DUE: Statement = {
  name: 'holds_due',
  text: `
SELECT id::text AS id
  FROM core.holds
 WHERE status = 'ACTIVE' AND expires_at <= clock_timestamp() AT TIME ZONE 'UTC'
 ORDER BY expires_at
 LIMIT 1000`,
};

const READ: Statement = {
  name: 'hold_read',
  text: `
SELECT h.id::text AS id, h.wallet_id, h.amount::text AS amount, h.captured::text AS captured, h.status,
       (extract(epoch FROM h.expires_at) * 1000)::bigint::text AS expires_at_ms,
       (extract(epoch FROM h.created_at) * 1000)::bigint::text AS created_at_ms,
       (w.balance - w.held)::text AS available
  FROM core.holds h
  JOIN core.wallets w ON w.id = h.wallet_id
 WHERE h.id = $1::uuid`,
};
