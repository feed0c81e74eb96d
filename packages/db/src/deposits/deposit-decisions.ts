import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { refusal } from '../refusals.ts';
import { receiptKey } from './receipt.ts';
import { isUuid, requestDigest, requireText } from '../request.ts';
import { query } from '../connection/handle.ts';

/** Who decides, why, and the name of the request, so that it can be repeated. */
interface Decision {
  /** A name or an id of the person who decides, 100 characters at most. */
  readonly decidedBy: string;
  /** 500 characters at most. */
  readonly reason: string;
  readonly idempotencyKey: string;
}

export interface DepositRelease extends Decision {
  readonly receipt: string;
  /** `release` posts the payment as any other is posted; `reject` puts it aside, and it can be released later. */
  readonly decision: 'release' | 'reject';
}

export interface CallbackResolution extends Decision {
  /** The id of the message in the inbox. */
  readonly id: string;
  /**
   * `keep`: what is recorded stays as it is, and the message needs nobody any more. `correct`, for a conflict: the
   * message is right, and the difference moves between the float and the wallet that was credited, once for a receipt.
   */
  readonly decision: 'keep' | 'correct';
}

/** What was decided, now or before. */
export interface Decided {
  /**
   * The transaction that it posted: the receipt, or `CR-` and the receipt for a correction; null when no money moved.
   */
  readonly reference: string | null;
  /** Whether it was decided so before. */
  readonly replayed: boolean;
}

/**
 * Decides about a payment that is kept and not posted: one above the limit, or one that was logged without a
 * transaction. It is posted once, however many decide at the same time.
 *
 * @throws DaftariError `unknown_transaction`, `already_posted`, `key_reused`, `invalid_request`, `invalid_amount` (too
 * large to be ever posted)
 */
export async function releaseDeposit(db: Handle, release: DepositRelease): Promise<Decided> {
  const { decision, reason, decidedBy, idempotencyKey } = release;
  requireText('receipt', release.receipt, 50);
  const receipt = receiptKey(release.receipt);
  requireDecision(release);
  const digest = requestDigest(`deposit_${decision}`, [receipt, reason]);
  const stored = decision === 'release' ? 'RELEASED' : 'REJECTED';
  const values = [receipt, stored, decidedBy, reason, idempotencyKey, digest];
  const [row] = await query<DecidedRow>(db, RELEASE, values);
  const { replayed } = decidedOf(row);
  return { reference: decision === 'release' ? receipt : null, replayed };
}

/**
 * Decides about a message of the inbox that waits for a person: a conflict, or one that could not be used.
 *
 * @throws DaftariError `unknown_callback`, `nothing_to_resolve`, `already_resolved`, `not_correctable`,
 * `insufficient_funds` (a correction never overdraws), `wallet_frozen`, `wallet_closed`, `key_reused`,
 * `invalid_request`
 */
export async function resolveCallback(db: Handle, resolution: CallbackResolution): Promise<Decided> {
  const { id, decision, reason, decidedBy, idempotencyKey } = resolution;
  if (!isUuid(id)) throw new DaftariError('unknown_callback');
  requireDecision(resolution);
  const digest = requestDigest(`callback_${decision}`, [id.toLowerCase(), reason]);
  const stored = decision === 'keep' ? 'KEPT' : 'CORRECTED';
  const values = [id, stored, decidedBy, reason, idempotencyKey, digest];
  const [row] = await query<DecidedRow>(db, RESOLVE, values);
  return decidedOf(row);
}

function requireDecision({ decidedBy, reason, idempotencyKey }: Decision): void {
  requireText('decidedBy', decidedBy, 100);
  requireText('reason', reason, 500);
  requireText('idempotencyKey', idempotencyKey, 255);
}

function decidedOf(row: DecidedRow | undefined): Decided {
  if (row === undefined) throw new DaftariError('database_error');
  if (row.outcome === 'key_reused') throw new DaftariError('key_reused');
  if (row.reason !== null) throw refusal(row.reason);
  return { reference: row.reference, replayed: row.outcome === 'replayed' };
}

interface DecidedRow {
  readonly outcome: 'posted' | 'noted' | 'replayed' | 'key_reused' | 'refused';
  readonly reason: string | null;
  readonly reference: string | null;
}

const RELEASE: Statement = {
  name: 'deposit_release',
  text: `
SELECT outcome, reason, NULL AS reference
  FROM services.release_deposit($1::text, $2::text, $3::text, $4::text, $5::text, $6::text)`,
};

const RESOLVE: Statement = {
  name: 'callback_resolve',
  text: `
SELECT outcome, reason, reference
  FROM services.resolve_callback($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text)`,
};
