import { arrayLiteral } from '../connection/array-literal.ts';
import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';

/** A payment that is recorded. */
export interface KnownPayment {
  readonly receipt: string;
  /** Decimal string of KES. */
  readonly amount: string;
  readonly shortCode: string | null;
  readonly paidAt: Date | null;
}

/** Those of the receipts, upper case, that are recorded, whatever became of their money. */
export async function findKnownPayments(
  db: Handle,
  receipts: readonly string[],
): Promise<Map<string, KnownPayment>> {
  if (receipts.length === 0) return new Map();
  const rows = await query<KnownRow>(db, KNOWN, [arrayLiteral(receipts)]);
  return new Map(
    rows.map(({ receipt, amount, short_code: shortCode, paid_at_ms: paid }) => [
      receipt,
      { receipt, amount, shortCode, paidAt: paid === null ? null : new Date(Number(paid)) },
    ]),
  );
}

interface KnownRow {
  readonly receipt: string;
  readonly amount: string;
  readonly short_code: string | null;
  readonly paid_at_ms: string | null;
}

const KNOWN: Statement = {
  name: 'known_payments',
  text: `
SELECT l.mpesa_receipt AS receipt, l.amount::text AS amount, l.short_code,
       (extract(epoch FROM l.paid_at) * 1000)::bigint::text AS paid_at_ms
  FROM services.mpesa_logs l
 WHERE l.mpesa_receipt = ANY ($1::text[])`,
};
