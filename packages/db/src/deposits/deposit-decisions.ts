import type { Handle, Statement } from '../connection/handle.ts';
import { requireValid } from './deposit-batch.ts';
import type { Deposit, DepositOptions } from './deposit.ts';
import { DaftariError } from '../errors.ts';
import { refusal } from '../refusals.ts';
import { receiptKey } from './receipt.ts';
import { isUuid, requestDigest, requireText, requireTime } from '../request.ts';
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

/** What a message of the inbox says that is taken in again. */
export interface CallbackReplay extends Decision {
  /** The id of the message in the inbox. */
  readonly id: string;
  /** The payment that the body reports, as it was received or as a person corrected it; its `kind` does not count. */
  readonly deposit: Deposit;
  /** For the callback of a request to a phone: the payment that it settles, and what M-PESA calls it. */
  readonly settles?: {
    readonly payment: string;
    readonly merchantRequestId: string | null;
    readonly checkoutRequestId: string | null;
  };
}

/** A message that was taken in again, now or before. */
export interface Replayed {
  readonly receipt: string;
  /** Of the payment; null when the message was taken in before. */
  readonly outcome: 'credited' | 'suspense' | 'held' | 'duplicate' | 'conflict' | null;
  readonly replayed: boolean;
}

/**
 * Takes a message in again that could not be used, or whose recording failed: once, whatever is repeated. Its row stays as it is;
 * what is taken in now gets a row of its own, of the kind REPLAY, or STK_REPLAY where it settles a payment.
 *
 * @throws DaftariError `unknown_callback`, `nothing_to_resolve`, `already_resolved`, `invalid_amount`, `invalid_deposit`,
 * `key_reused`, `invalid_request`
 */
export async function replayCallback(
  db: Handle,
  replay: CallbackReplay,
  options: DepositOptions = {},
): Promise<Replayed> {
  const { id, deposit, settles, reason, decidedBy, idempotencyKey } = replay;
  if (!isUuid(id)) throw new DaftariError('unknown_callback');
  requireDecision(replay);
  requireValid(deposit);
  const { receipt, amount, shortCode, account, paidAt, payer, callback } = deposit;
  const body = Buffer.from(callback.body);
  const said = [id.toLowerCase(), reason, body.toString('base64')];
  // An optional fact joins only where it is given: repeats across a release stay repeats.
  const digest = requestDigest('callback_replay', settles === undefined ? said : [...said, settles.payment]);
  const who = [id, decidedBy, reason, idempotencyKey, digest];
  const facts = [receipt, amount, shortCode, account, requireTime('paidAt', paidAt)];
  const rest = [payer.phone, payer.phoneHash, payer.name, callback.payload, body, options.maxAmount ?? null];
  const names = [
    settles?.payment ?? null,
    settles?.merchantRequestId ?? null,
    settles?.checkoutRequestId ?? null,
  ];
  const [row] = await query<ReplayedRow>(db, REPLAY, [...who, ...facts, ...rest, ...names]);
  if (row === undefined) throw new DaftariError('database_error');
  if (row.outcome === 'key_reused') throw new DaftariError('key_reused');
  if (row.reason !== null) throw refusal(row.reason);
  return { receipt: row.receipt ?? receipt, outcome: row.result, replayed: row.outcome === 'replayed' };
}

export interface RefundMark extends Decision {
  readonly receipt: string;
  /** `mark`: the payment goes back to its payer; `unmark`: it does not. */
  readonly decision: 'mark' | 'unmark';
}

/**
 * Marks a payment in suspense as one that goes back to its payer, or takes the mark away. No money moves.
 *
 * @throws DaftariError `unknown_transaction`, `not_in_suspense`, `already_assigned`, `already_reversed`, `key_reused`,
 * `invalid_request`
 */
export async function markRefund(db: Handle, mark: RefundMark): Promise<{ readonly replayed: boolean }> {
  const { decision, reason, decidedBy, idempotencyKey } = mark;
  requireText('receipt', mark.receipt, 50);
  const receipt = receiptKey(mark.receipt);
  requireDecision(mark);
  const digest = requestDigest(`refund_${decision}`, [receipt, reason]);
  const stored = decision === 'mark' ? 'REFUND' : 'NO_REFUND';
  const values = [receipt, stored, decidedBy, reason, idempotencyKey, digest];
  const [row] = await query<DecidedRow>(db, MARK_REFUND, values);
  return { replayed: decidedOf(row).replayed };
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

interface ReplayedRow {
  readonly outcome: 'posted' | 'replayed' | 'key_reused' | 'refused';
  readonly reason: string | null;
  readonly receipt: string | null;
  readonly result: Replayed['outcome'];
}

const REPLAY: Statement = {
  name: 'callback_replay',
  text: `
SELECT outcome, reason, receipt, result
  FROM services.replay_callback(
    p_id => $1::uuid, p_by => $2::text, p_reason => $3::text, p_key => $4::text, p_digest => $5::text,
    p_receipt => $6::text, p_amount => $7::numeric, p_short_code => $8::text, p_account => $9::text,
    p_paid_at => $10::timestamp, p_phone => $11::text, p_phone_hash => $12::text, p_name => $13::text,
    p_payload => $14::text, p_body => $15::bytea, p_max_amount => $16::numeric, p_payment => $17::uuid,
    p_merchant => $18::text, p_checkout => $19::text
  )`,
};

const MARK_REFUND: Statement = {
  name: 'refund_mark',
  text: `
SELECT outcome, reason, NULL AS reference
  FROM services.mark_refund($1::text, $2::text, $3::text, $4::text, $5::text, $6::text)`,
};

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
