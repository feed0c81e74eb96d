import type { Sql } from './test-db.ts';

/** One posting for the door, with what a test does not say filled in. */
export interface Posting {
  readonly reference: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly amount: string | null;
  readonly fallback?: string | null;
  readonly type?: string;
  readonly currency?: string;
  readonly key?: string | null;
  readonly digest?: string | null;
  readonly reverses?: string | null;
  /** Neighbours with the same number are created together or not at all. */
  readonly group?: number | null;
}

export interface Posted {
  readonly outcome: string;
  readonly reason: string | null;
  readonly credited: string | null;
  readonly debitBalance: string | null;
  readonly creditBalance: string | null;
}

/** Calls core.post_transactions with a batch, as the package's own functions do. */
export async function post(sql: Sql, postings: readonly Posting[]): Promise<Posted[]> {
  const rows = await sql(POST, [
    postings.map((p) => p.reference),
    postings.map((p) => p.type ?? 'TRANSFER'),
    postings.map((p) => p.from),
    postings.map((p) => p.to),
    postings.map((p) => p.fallback ?? null),
    postings.map((p) => p.amount),
    postings.map((p) => p.currency ?? 'KES'),
    postings.map((p) => p.key ?? null),
    postings.map((p) => p.digest ?? null),
    postings.map((p) => p.reverses ?? null),
    postings.map((p) => p.group ?? null),
  ]);
  return rows.map((row) => ({
    outcome: String(row['outcome']),
    reason: textOrNull(row['reason']),
    credited: textOrNull(row['credited']),
    debitBalance: textOrNull(row['debit_balance']),
    creditBalance: textOrNull(row['credit_balance']),
  }));
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

const POST = `
SELECT t.outcome, t.reason, t.credited, t.debit_balance::text, t.credit_balance::text
  FROM core.post_transactions(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::text[], $8::text[], $9::text[],
        $10::uuid[], $11::integer[]
       ) AS p,
       unnest(p.outcomes, p.reasons, p.credited, p.debit_balances, p.credit_balances) WITH ORDINALITY
       AS t (outcome, reason, credited, debit_balance, credit_balance, ord)
 ORDER BY t.ord`;
