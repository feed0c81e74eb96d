import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { operation, postedOf, runOperation, wasReplayed } from './operations.ts';
import type { OperationKind, OperationResult } from './operations.ts';
import type { Posted } from './posted.ts';
import { newReference } from './reference.ts';
import { isUuid, requestDigest, requireAmount, requireText, requireTime } from '../request.ts';
import { query } from '../connection/handle.ts';

export type HoldStatus = 'ACTIVE' | 'CAPTURED' | 'RELEASED' | 'EXPIRED';

/** Money that is reserved for a payout. Amounts are decimal strings with two decimals. */
export interface HoldView {
  readonly id: string;
  readonly wallet: string;
  readonly amount: string;
  /** Reserved beside the amount: the most that a capture of any part of it can cost the holder; `0.00` for nothing. */
  readonly feeHeld: string;
  /** What was paid out of it. */
  readonly captured: string;
  readonly status: HoldStatus;
  /** The transaction that paid it out; null unless it was captured, and where that was before this was kept. */
  readonly captureReference: string | null;
  readonly expiresAt: Date | null;
  readonly createdAt: Date;
  /** What the wallet can spend. */
  readonly available: string;
}

/** A hold as it was when the request was done: a repeat of the request gets the same. */
export interface Hold extends HoldView {
  /** Whether this is the answer to an earlier request. */
  readonly replayed: boolean;
}

export interface HoldRequest {
  readonly wallet: string;
  readonly amount: string;
  readonly idempotencyKey: string;
  /** When it ends by itself, in the future. Default: never. */
  readonly expiresAt?: Date;
  readonly narrative?: string;
}

export interface CaptureRequest {
  readonly holdId: string;
  /** A customer's wallet, or a system wallet such as `MPESA-FLOAT` for money that leaves. */
  readonly to: string;
  /** Default: the whole hold. */
  readonly amount?: string;
  readonly idempotencyKey: string;
  readonly narrative?: string;
}

/** What was paid out of a hold, and the hold afterwards. */
export interface Capture extends Posted {
  readonly hold: Hold;
}

/**
 * Reserves money of a wallet: it stays in the balance and can no longer be spent. The fee that its capture may take is
 * reserved with it (`quoteFee` says how much), so that what is held can be paid out. Once for its key; a refusal is
 * remembered (see `transaction` for refusals inside one).
 *
 * @throws DaftariError `insufficient_funds` (for the amount and its fee), `wallet_frozen`, `wallet_closed`,
 * `unknown_wallet`, `invalid_amount`, `expiry_passed`, `key_reused`, `invalid_request`
 */
export async function hold(db: Handle, request: HoldRequest): Promise<Hold> {
  return runOperation(db, PLACING, request);
}

/**
 * Pays out of a hold, whole or part, once for its key; the rest goes back to the wallet and the hold is closed. The fee
 * is that of now, and the holder pays what was reserved for it at most. When a capture, a release and the expiry race,
 * one wins and the others get `hold_closed`.
 *
 * @throws DaftariError `unknown_hold`, `hold_closed`, `exceeds_hold`, `key_reused`, and those of `transfer`
 */
export async function captureHold(db: Handle, request: CaptureRequest): Promise<Capture> {
  return runOperation(db, CAPTURING, request);
}

/**
 * Gives a hold's money back to its wallet. A repeat gets the same answer.
 *
 * @throws DaftariError `unknown_hold`, or `hold_closed` when it was captured or its expiry gave the money back
 */
export async function releaseHold(db: Handle, request: { readonly holdId: string }): Promise<Hold> {
  return runOperation(db, RELEASING, request);
}

/** A hold as it is now, or null when no hold has this id. */
export async function findHold(db: Handle, { id }: { readonly id: string }): Promise<HoldView | null> {
  if (!isUuid(id)) return null;
  const [row] = await query<HoldRow>(db, FIND, [id]);
  return row === undefined ? null : viewOf(row);
}

export const PLACING: OperationKind<HoldRequest, Hold> = {
  prepare(request) {
    requireText('wallet', request.wallet, 20);
    requireText('idempotencyKey', request.idempotencyKey, 255);
    if (request.narrative !== undefined) requireText('narrative', request.narrative, 255);
    const { wallet, idempotencyKey: key, narrative = null } = request;
    const amount = requireAmount(request.amount);
    const expiresAt = request.expiresAt === undefined ? null : requireTime('expiresAt', request.expiresAt);
    const digest = requestDigest('hold', [wallet, amount, expiresAt, narrative]);
    return operation('HOLD', { key, digest, wallet, amount, expiresAt, narrative });
  },
  read(result) {
    if (result.row.reason === 'insufficient_funds')
      throw new DaftariError('insufficient_funds', { advice: TOO_DEAR });
    return holdOf(result);
  },
};

const TOO_DEAR =
  'There is not enough available in the wallet for the amount and the fee that its capture may take. Nothing was reserved.';

export const CAPTURING: OperationKind<CaptureRequest, Capture> = {
  prepare(request) {
    requireId(request.holdId);
    requireText('to', request.to, 20);
    requireText('idempotencyKey', request.idempotencyKey, 255);
    if (request.narrative !== undefined) requireText('narrative', request.narrative, 255);
    const { to: wallet, idempotencyKey: key, narrative = null } = request;
    // However it is written, it is the same hold, and the same request.
    const holdId = request.holdId.toLowerCase();
    const amount = request.amount === undefined ? null : requireAmount(request.amount);
    const digest = requestDigest('capture', [holdId, wallet, amount, narrative]);
    return operation('CAPTURE', {
      key,
      digest,
      holdId,
      wallet,
      amount,
      reference: newReference(),
      narrative,
    });
  },
  read: (result) => ({ ...postedOf(result), hold: holdOf(result) }),
};

export const RELEASING: OperationKind<{ readonly holdId: string }, Hold> = {
  prepare({ holdId }) {
    requireId(holdId);
    return operation('RELEASE', { holdId });
  },
  read: holdOf,
};

function holdOf(result: OperationResult): Hold {
  const replayed = wasReplayed(result);
  const { row } = result;
  if (row.hold_id === null) throw new DaftariError('database_error');
  return {
    id: row.hold_id,
    wallet: row.hold_wallet ?? '',
    amount: row.hold_amount ?? '',
    feeHeld: row.hold_fee_held ?? '0.00',
    captured: row.hold_captured ?? '',
    status: (row.hold_status ?? 'ACTIVE') as HoldStatus,
    captureReference: row.hold_capture,
    expiresAt: row.hold_expires_at_ms === null ? null : new Date(Number(row.hold_expires_at_ms)),
    createdAt: new Date(Number(row.hold_created_at_ms)),
    available: row.hold_available ?? '',
    replayed,
  };
}

function viewOf(row: HoldRow): HoldView {
  return {
    id: row.id,
    wallet: row.wallet_id,
    amount: row.amount,
    feeHeld: row.fee_held,
    captured: row.captured,
    status: row.status,
    captureReference: row.capture_reference,
    expiresAt: row.expires_at_ms === null ? null : new Date(Number(row.expires_at_ms)),
    createdAt: new Date(Number(row.created_at_ms)),
    available: row.available,
  };
}

function requireId(id: string): void {
  if (!isUuid(id)) throw new DaftariError('unknown_hold');
}

interface HoldRow {
  readonly id: string;
  readonly wallet_id: string;
  readonly amount: string;
  readonly fee_held: string;
  readonly captured: string;
  readonly status: HoldStatus;
  readonly capture_reference: string | null;
  readonly expires_at_ms: string | null;
  readonly created_at_ms: string;
  readonly available: string;
}

const findText = (holds: string, wallets: string): string => `
SELECT h.id::text AS id, h.wallet_id, h.amount::text AS amount, coalesce(h.fee_held, 0)::numeric(19,2)::text AS fee_held,
       h.captured::text AS captured, h.status,
       h.capture_reference,
       (extract(epoch FROM h.expires_at) * 1000)::bigint::text AS expires_at_ms,
       (extract(epoch FROM h.created_at) * 1000)::bigint::text AS created_at_ms,
       (w.balance - w.held)::text AS available
  FROM ${holds} h
  JOIN ${wallets} w ON w.id = h.wallet_id
 WHERE h.id = $1::uuid`;

const FIND: Statement = {
  name: 'hold_find_with_fee',
  text: findText('core.holds', 'core.wallets'),
  overNodes: findText('lanes.holds_of(ARRAY[$1::uuid])', 'lanes.wallets_of(ARRAY[h.wallet_id]::text[])'),
};
