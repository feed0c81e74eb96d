import { isStatementError, readPayerStatement } from '@repo/statements';
import type { PayerLine, PayerStatement } from '@repo/statements';
import { arrayLiteral } from '../connection/array-literal.ts';
import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { digestOf } from './file-digest.ts';
import { formatCents } from '../money.ts';

export interface EvidenceRequest {
  /** Opens the PDF, where it has one. */
  readonly password?: string;
  /** Only payments to this paybill or till, and those that name none, are looked for. Default: all. */
  readonly shortCode?: string;
}

/** One payment of a payer's statement beside what the ledger has with its receipt. It names no person. */
export interface EvidenceItem {
  readonly receipt: string;
  /** `unknown`: nothing with this receipt ever reached us as a payment. */
  readonly state: 'agrees' | 'differs' | 'unknown';
  /** As the payer's statement shows it. Decimal strings of KES. */
  readonly amount: string;
  readonly at: Date | null;
  /** The paybill or till that it went to, where the statement says so. */
  readonly payee: string | null;
  readonly ledger: {
    readonly amount: string;
    /** False for a payment that is kept and not credited. */
    readonly isPosted: boolean;
    readonly shortCode: string | null;
    readonly paidAt: Date | null;
  } | null;
}

export interface Evidence {
  /** Of the file, lower-case hex. */
  readonly sha256: string;
  readonly pages: number;
  /** Lines of the statement. */
  readonly lines: number;
  /** Lines that are no payments that could have reached us. */
  readonly passedOver: {
    readonly charges: number;
    readonly moneyIn: number;
    readonly notCompleted: number;
    readonly otherPayee: number;
  };
  readonly agrees: number;
  readonly differs: number;
  readonly unknown: number;
  readonly items: readonly EvidenceItem[];
}

/**
 * Compares a payer's own statement, the PDF that M-PESA gives customers, with the ledger, by receipts. It is evidence in a
 * dispute and no more: anybody can write a PDF. Nothing of it is stored, and nothing is credited.
 *
 * @throws DaftariError `invalid_statement`, `invalid_request` naming the field
 */
export async function checkPayerStatement(
  db: Handle,
  path: string,
  { password, shortCode }: EvidenceRequest = {},
): Promise<Evidence> {
  if (shortCode !== undefined && !/^\d{3,10}$/.test(shortCode))
    throw new DaftariError('invalid_request', { field: 'shortCode' });
  const sha256 = await digestOf(path);
  const { pages, lines } = await read(path, password);
  const isOther = ({ payee }: PayerLine) => shortCode !== undefined && payee !== null && payee !== shortCode;
  const paid = lines.filter(({ kind, isCompleted }) => kind === 'payment' && isCompleted);
  const ours = paid.filter((line) => !isOther(line));
  const rows = await query<LedgerRow>(db, FIND, [arrayLiteral(ours.map(({ receipt }) => receipt))]);
  const found = new Map(rows.map((row) => [row.receipt, row]));
  const items = ours.map((line) => itemOf(line, found.get(line.receipt)));
  const count = (state: EvidenceItem['state']) => items.filter((item) => item.state === state).length;
  return {
    sha256,
    pages,
    lines: lines.length,
    passedOver: {
      charges: lines.filter(({ kind, isCompleted }) => kind === 'charge' && isCompleted).length,
      moneyIn: lines.filter(({ kind, isCompleted }) => kind === 'in' && isCompleted).length,
      notCompleted: lines.filter(({ isCompleted }) => !isCompleted).length,
      otherPayee: paid.length - ours.length,
    },
    agrees: count('agrees'),
    differs: count('differs'),
    unknown: count('unknown'),
    items,
  };
}

async function read(path: string, password: string | undefined): Promise<PayerStatement> {
  try {
    return await readPayerStatement(path, password === undefined ? {} : { password });
  } catch (error) {
    if (!isStatementError(error)) throw error;
    throw new DaftariError('invalid_statement', { advice: error.message, cause: new Error(error.code) });
  }
}

function itemOf({ receipt, cents, completedAt, payee }: PayerLine, row: LedgerRow | undefined): EvidenceItem {
  const amount = formatCents(cents);
  const line = { receipt, amount, at: completedAt === null ? null : new Date(completedAt), payee };
  if (row === undefined) return { ...line, state: 'unknown', ledger: null };
  return {
    ...line,
    state: row.amount === amount ? 'agrees' : 'differs',
    ledger: {
      amount: row.amount,
      isPosted: row.is_posted,
      shortCode: row.short_code,
      paidAt: row.paid_ms === null ? null : new Date(Number(row.paid_ms)),
    },
  };
}

interface LedgerRow {
  readonly receipt: string;
  readonly amount: string;
  readonly is_posted: boolean;
  readonly short_code: string | null;
  readonly paid_ms: string | null;
}

const findText = ({ amount, sources }: { readonly amount: string; readonly sources: string }): string => `
SELECT g.mpesa_receipt AS receipt, g.short_code, t.id IS NOT NULL AS is_posted,
       CASE
           WHEN t.id IS NULL THEN g.amount
           ELSE ${amount}
       END::numeric(19,2)::text AS amount,
       (extract(epoch FROM g.paid_at) * 1000)::bigint::text AS paid_ms
  FROM ${sources}`;

const FIND: Statement = {
  name: 'mpesa_evidence_find',
  text: findText({
    amount: 'services.deposit_amount(p_receipt => g.mpesa_receipt, p_amount => t.amount)',
    sources: `services.mpesa_logs g
  LEFT JOIN core.transactions t ON t.reference = g.mpesa_receipt AND t.type = 'DEPOSIT'
 WHERE g.mpesa_receipt = ANY ($1::text[])`,
  }),
  overNodes: findText({
    amount: 't.amount + coalesce(c.amount, 0)',
    sources: `lanes.logged_of($1::text[]) g
  LEFT JOIN lanes.entries_of($1::text[]) t ON t.reference = g.mpesa_receipt AND t.type = 'DEPOSIT'
  LEFT JOIN lanes.corrections_of($1::text[]) c ON c.receipt = g.mpesa_receipt`,
  }),
};
