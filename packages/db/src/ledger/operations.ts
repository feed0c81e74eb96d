import { arrayLiteral } from '../connection/array-literal.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { refusal } from '../refusals.ts';
import type { Posted, TransactionType } from './posted.ts';
import { query } from '../connection/handle.ts';

/** One operation on the ledger, checked and ready to be done; null where its kind does not use it. */
export interface Operation {
  readonly kind: 'HOLD' | 'CAPTURE' | 'RELEASE' | 'REVERSE' | 'ASSIGN';
  readonly key: string | null;
  readonly digest: string | null;
  readonly holdId: string | null;
  /** The reference of what is reversed or assigned. */
  readonly original: string | null;
  readonly wallet: string | null;
  /** Decimal string with two decimals. */
  readonly amount: string | null;
  /** A TIMESTAMP in UTC. */
  readonly expiresAt: string | null;
  /** What a new transaction would be called. */
  readonly reference: string | null;
  readonly narrative: string | null;
}

/** An operation of one kind with the given facts. All other facts are null. */
export function operation(kind: Operation['kind'], facts: Partial<Operation>): Operation {
  return { ...NOTHING, ...facts, kind };
}

const NOTHING = {
  key: null,
  digest: null,
  holdId: null,
  original: null,
  wallet: null,
  amount: null,
  expiresAt: null,
  reference: null,
  narrative: null,
} as const;

/** How a request of some kind becomes an operation, and what became of it an answer. */
export interface OperationKind<Request, Answer> {
  /** Throws for what could never be done: it costs nobody a round trip and spends no key. */
  prepare(request: Request): Operation;
  /** Throws what was refused. */
  read(result: OperationResult): Answer;
}

/** What became of an operation. */
export interface OperationResult {
  readonly operation: Operation;
  readonly row: OperationRow;
}

/** Does one operation by itself. */
export async function runOperation<Request, Answer>(
  db: Handle,
  kind: OperationKind<Request, Answer>,
  request: Request,
): Promise<Answer> {
  const [result] = await runOperations(db, [kind.prepare(request)]);
  if (result === undefined) throw new DaftariError('database_error');
  return kind.read(result);
}

/** Who assigns payments, and why where they say so: written down with what they post, in its transaction. */
export interface Assigner {
  readonly decidedBy: string;
  readonly reason: string | null;
}

/** Operations as if one after the other, in one round trip and one database transaction: all of them, or none. */
export async function runOperations(
  db: Handle,
  operations: readonly Operation[],
  assigner?: Assigner,
): Promise<OperationResult[]> {
  if (operations.length === 0) return [];
  const column = (name: keyof Operation) => arrayLiteral(operations.map((each) => each[name]));
  const columns = COLUMNS.map(column);
  const rows = await (assigner === undefined
    ? query<OperationRow>(db, RUN, columns)
    : query<OperationRow>(db, ASSIGN_NOTED, [...columns, assigner.decidedBy, assigner.reason]));
  const results: OperationResult[] = [];
  for (const row of rows) {
    const done = operations[row.ord - 1];
    if (done !== undefined) results[row.ord - 1] = { operation: done, row };
  }
  return results;
}

/** Whether the operation was done before, under its key or by its nature. Throws what was refused. */
export function wasReplayed({ row: { outcome, reason } }: OperationResult): boolean {
  if (outcome === 'key_reused') throw new DaftariError('key_reused');
  // A new reference that is taken happens once in 2^60: the caller's retry thinks of another one.
  if (outcome === 'collision') throw new DaftariError('database_busy');
  if (reason !== null) throw refusal(reason);
  return outcome === 'replayed';
}

/** The transaction that an operation posted, now or then. Throws what was refused. */
export function postedOf(result: OperationResult): Posted {
  const replayed = wasReplayed(result);
  const { row } = result;
  if (row.reference === null || row.type === null) throw new DaftariError('database_error');
  return {
    reference: row.reference,
    transactionId: row.transaction_id ?? '',
    type: row.type,
    from: row.debit_wallet ?? '',
    to: row.credit_wallet ?? '',
    amount: row.amount ?? '',
    currency: row.currency ?? '',
    balanceAfter: row.balance_after ?? '',
    fee: row.fee ?? '0.00',
    createdAt: new Date(Number(row.created_at_ms)),
    verificationHash: row.verification_hash ?? '',
    replayed,
  };
}

interface OperationRow {
  readonly ord: number;
  readonly outcome: 'posted' | 'replayed' | 'key_reused' | 'refused' | 'collision';
  readonly reason: string | null;
  readonly reference: string | null;
  readonly transaction_id: string | null;
  readonly type: TransactionType | null;
  readonly debit_wallet: string | null;
  readonly credit_wallet: string | null;
  readonly amount: string | null;
  readonly currency: string | null;
  readonly fee: string | null;
  readonly balance_after: string | null;
  readonly created_at_ms: string | null;
  readonly verification_hash: string | null;
  readonly remaining: string | null;
  readonly hold_id: string | null;
  readonly hold_wallet: string | null;
  readonly hold_amount: string | null;
  readonly hold_captured: string | null;
  readonly hold_status: string | null;
  readonly hold_capture: string | null;
  readonly hold_expires_at_ms: string | null;
  readonly hold_created_at_ms: string | null;
  readonly hold_available: string | null;
  readonly hold_fee_held: string | null;
}

/** In the order of the function's arguments. */
const COLUMNS = [
  'kind',
  'key',
  'digest',
  'holdId',
  'original',
  'wallet',
  'amount',
  'expiresAt',
  'reference',
  'narrative',
] as const satisfies readonly (keyof Operation)[];

const FIELDS = `
       ord, outcome, reason, reference, transaction_id::text AS transaction_id, type, debit_wallet, credit_wallet,
       amount::text AS amount, currency, fee::numeric(19,2)::text AS fee, balance_after::text AS balance_after,
       (extract(epoch FROM created_at) * 1000)::bigint::text AS created_at_ms, verification_hash,
       remaining::numeric(19,2)::text AS remaining, hold_id::text AS hold_id, hold_wallet,
       hold_amount::text AS hold_amount, hold_captured::numeric(19,2)::text AS hold_captured, hold_status,
       hold_capture,
       (extract(epoch FROM hold_expires_at) * 1000)::bigint::text AS hold_expires_at_ms,
       (extract(epoch FROM hold_created_at) * 1000)::bigint::text AS hold_created_at_ms,
       hold_available::text AS hold_available, hold_fee_held::numeric(19,2)::text AS hold_fee_held`;

const CALL = `core.run_operations(
    $1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::numeric[], $8::timestamp[],
    $9::text[], $10::text[]
  )`;

const RUN: Statement = { name: 'operations_run', text: `SELECT ${FIELDS} FROM ${CALL}` };

const ASSIGN_NOTED: Statement = {
  name: 'operations_assign_noted',
  text: `
SELECT ${FIELDS},
       services.note_assignment(
         p_receipt => ($5::text[])[ord], p_reference => CASE WHEN outcome = 'posted' THEN reference END, p_by => $11::text,
         p_reason => $12::text
       )::text AS noted
  FROM ${CALL}`,
};
