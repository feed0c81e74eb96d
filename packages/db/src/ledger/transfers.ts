import { arrayLiteral } from '../connection/array-literal.ts';
import { DaftariError, isDaftariError } from '../errors.ts';
import type { ErrorCode } from '../error-codes/catalogue.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import type { LaneOptions } from '../connection/group-commit.ts';
import { laneOf } from '../lanes.ts';
import { refusal } from '../refusals.ts';
import type { Posted } from './posted.ts';
import { newReference } from './reference.ts';
import { requestDigest, requireAmount, requireText } from '../request.ts';
import { query } from '../connection/handle.ts';
import { createTellingGroup } from '../sms/wake-after-commit.ts';

/** Money from one customer's wallet to another's. */
export interface Transfer {
  readonly from: string;
  readonly to: string;
  /** Decimal string, at most two decimals, above zero. */
  readonly amount: string;
  /** The caller's own name for this request, 1 to 255 characters. A repeat gets the same answer. */
  readonly idempotencyKey: string;
  /** ISO 4217. Default: KES. It must be that of both wallets, or the transfer is refused. */
  readonly currency?: string;
  readonly narrative?: string;
  /** False for a transfer that shall send the customers no SMS. It is no part of the request's digest. */
  readonly notify?: boolean;
}

/** One of a batch: what was posted, or what `transfer` would have thrown. */
export type TransferResult =
  | ({ readonly ok: true } & Posted)
  | { readonly ok: false; readonly code: ErrorCode; readonly error: DaftariError };

/**
 * Moves money between two wallets, once for its idempotency key. A refusal is remembered too: the same key gives the
 * same refusal, also after the money has arrived that was missing. (Inside `transaction` see there.)
 *
 * @throws DaftariError `insufficient_funds`, `wallet_frozen`, `wallet_closed`, `unknown_wallet`, `same_wallet`,
 * `currency_mismatch`, `invalid_amount` (an AmountError with its `fault`), `key_reused`, `invalid_request`,
 * and those of the database
 */
export async function transfer(db: Handle, request: Transfer): Promise<Posted> {
  const [result] = await transfers(db, [request]);
  if (result === undefined) throw new DaftariError('database_error');
  if (!result.ok) throw result.error;
  return result;
}

/**
 * Several transfers as if one after the other, in one round trip and one database transaction. Refusals are answers
 * here and are remembered with the rest, also inside `transaction`, if that commits.
 */
export async function transfers(db: Handle, requests: readonly Transfer[]): Promise<TransferResult[]> {
  const checked = requests.map(check);
  const fit = checked.flatMap((item) => (item instanceof DaftariError ? [] : [item]));
  const recorded = fit.length === 0 ? [] : await record(db, fit);
  let next = 0;
  return checked.map((item) => {
    if (item instanceof DaftariError) return refused(item);
    const result = recorded[next];
    next += 1;
    if (result === undefined) throw new DaftariError('database_error');
    return result;
  });
}

/**
 * Group commit of transfers: what many callers ask for at the same time goes in one round trip. The senders of SMS are
 * woken afterwards; where `transfer` is called by itself they find the messages when they poll.
 *
 * Transfers are dealt to lanes by the wallet that is credited. Those into one wallet are done in the order in which they came; of
 * others, one that must come after another is asked for when the other is answered.
 */
export interface TransferIntake {
  /** Resolves after the commit; throws as `transfer` does, and `queue_full` or `intake_closed`. */
  transfer(request: Transfer): Promise<Posted>;
  close(): Promise<void>;
  readonly depth: number;
}

export function createTransferIntake(db: Handle, options: LaneOptions = {}): TransferIntake {
  const group = createTellingGroup<Checked, TransferResult>(
    db,
    {
      run: (items) => record(db, items),
      failure: 'request_failed',
      laneOf: ({ request }) => laneOf(request.to),
    },
    options,
  );
  return {
    async transfer(request) {
      const checked = check(request);
      if (checked instanceof DaftariError) throw checked;
      const result = await group.submit(checked);
      if (!result.ok) throw result.error;
      return result;
    },
    close: () => group.close(),
    get depth() {
      return group.depth;
    },
  };
}

interface Checked {
  readonly request: Transfer;
  readonly amount: string;
  readonly currency: string;
  readonly narrative: string | null;
  readonly digest: string;
  readonly reference: string;
}

// What could never be posted is refused before it costs the others of its batch anything, and spends no key.
function check(request: Transfer): Checked | DaftariError {
  try {
    const { from, to, idempotencyKey } = request;
    const narrative = request.narrative ?? null;
    requireText('from', from, 20);
    requireText('to', to, 20);
    requireText('idempotencyKey', idempotencyKey, 255);
    if (narrative !== null) requireText('narrative', narrative, 255);
    const amount = requireAmount(request.amount);
    const currency = request.currency ?? 'KES';
    requireText('currency', currency, 3);
    const digest = requestDigest('transfer', [from, to, amount, currency, narrative]);
    return { request, amount, currency, narrative, digest, reference: newReference() };
  } catch (error) {
    if (isDaftariError(error)) return error;
    throw error;
  }
}

async function record(db: Handle, items: readonly Checked[]): Promise<TransferResult[]> {
  const column = (pick: (item: Checked) => string | null) => arrayLiteral(items.map(pick));
  const rows = await query<TransferRow>(db, RECORD, [
    column(({ request }) => request.idempotencyKey),
    column(({ digest }) => digest),
    column(({ reference }) => reference),
    column(({ request }) => request.from),
    column(({ request }) => request.to),
    column(({ amount }) => amount),
    column(({ currency }) => currency),
    column(({ narrative }) => narrative),
    column(({ request }) => String(request.notify ?? true)),
  ]);
  const results: TransferResult[] = [];
  for (const row of rows) {
    const item = items[row.ord - 1];
    if (item !== undefined) results[row.ord - 1] = resultOf(row, item);
  }
  return results;
}

function resultOf(row: TransferRow, { request, currency }: Checked): TransferResult {
  if (row.outcome === 'key_reused') return refused(new DaftariError('key_reused'));
  // A new reference that is taken happens once in 2^60: the caller's retry thinks of another one.
  if (row.outcome === 'collision') return refused(new DaftariError('database_busy'));
  if (row.reason !== null || row.reference === null) return refused(refusal(row.reason));
  return {
    ok: true,
    reference: row.reference,
    transactionId: row.transaction_id ?? '',
    type: 'TRANSFER',
    from: request.from,
    to: request.to,
    amount: row.amount ?? '',
    currency,
    balanceAfter: row.balance_after ?? '',
    fee: row.fee ?? '0.00',
    createdAt: new Date(Number(row.created_at_ms)),
    verificationHash: row.verification_hash ?? '',
    replayed: row.outcome === 'replayed',
  };
}

function refused(error: DaftariError): TransferResult {
  return { ok: false, code: error.code, error };
}

interface TransferRow {
  readonly ord: number;
  readonly outcome: 'posted' | 'replayed' | 'key_reused' | 'refused' | 'collision';
  readonly reason: string | null;
  readonly reference: string | null;
  readonly transaction_id: string | null;
  readonly amount: string | null;
  readonly fee: string | null;
  readonly balance_after: string | null;
  readonly created_at_ms: string;
  readonly verification_hash: string | null;
}

const RECORD: Statement = {
  name: 'record_transfers',
  text: `
SELECT ord, outcome, reason, reference, transaction_id::text AS transaction_id, amount::text AS amount,
       fee::numeric(19,2)::text AS fee, balance_after::text AS balance_after,
       (extract(epoch FROM created_at) * 1000)::bigint::text AS created_at_ms, verification_hash
  FROM services.record_transfers(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::text[], $8::text[], $9::boolean[]
  )`,
};
