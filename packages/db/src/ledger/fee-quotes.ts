import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import type { FeePayer, FeeType } from './fee-rules.ts';
import { formatCents, parseCents } from '../money.ts';
import { requireAmount, requireTime } from '../request.ts';
import { query } from '../connection/handle.ts';

export interface FeeQuoteRequest {
  /** HOLD: what a hold of the amount would reserve for the fee of its capture. */
  readonly type: FeeType | 'HOLD';
  readonly amount: string;
  /** Default: KES. */
  readonly currency?: string | undefined;
  /** By the rules of this moment. Default: now. */
  readonly at?: Date | undefined;
}

/** What a transaction would cost. Amounts are decimal strings with two decimals. */
export interface FeeQuote {
  readonly amount: string;
  /** `0.00` for nothing. */
  readonly fee: string;
  /** Null when nothing is charged. */
  readonly payer: FeePayer | null;
  /** The rule that says so; null for none, and for a hold, which reserves the most that any of them asks. */
  readonly ruleId: string | null;
  /** What the sender must have for it: the amount, and the fee if the sender pays it. */
  readonly total: string;
}

/** What a transaction would cost. It promises nothing: rules may change. @throws AmountError, DaftariError `invalid_request` */
export async function quoteFee(db: Handle, request: FeeQuoteRequest): Promise<FeeQuote> {
  const { type, currency = 'KES' } = request;
  const amount = requireAmount(request.amount);
  if (!['TRANSFER', 'WITHDRAWAL', 'HOLD'].includes(type))
    throw new DaftariError('invalid_request', { field: 'type' });
  if (!/^[A-Z]{3}$/.test(currency)) throw new DaftariError('invalid_request', { field: 'currency' });
  const at = request.at === undefined ? null : requireTime('at', request.at);
  const [row] =
    type === 'HOLD'
      ? await query<QuoteRow>(db, QUOTE_HOLD, [currency, amount, at])
      : await query<QuoteRow>(db, QUOTE, [type, currency, amount, at]);
  const fee = row === undefined ? 0n : parseCents(row.fee);
  const payer = row?.payer ?? null;
  const total = parseCents(amount) + (payer === 'SENDER' ? fee : 0n);
  return { amount, fee: formatCents(fee), payer, ruleId: row?.rule_id ?? null, total: formatCents(total) };
}

interface QuoteRow {
  readonly fee: string;
  readonly payer: FeePayer;
  readonly rule_id: string | null;
}

const QUOTE: Statement = {
  name: 'fee_quote',
  text: `
SELECT f.fee::text AS fee, f.payer, f.rule_id::text AS rule_id
  FROM core.fee_of($1::text, $2::text, $3::numeric, coalesce($4::timestamp, clock_timestamp() AT TIME ZONE 'UTC')) AS f`,
};

const QUOTE_HOLD: Statement = {
  name: 'fee_quote_hold',
  text: `
SELECT f.fee::text AS fee, 'SENDER' AS payer, NULL::text AS rule_id
  FROM core.fee_to_hold($1::text, $2::numeric, coalesce($3::timestamp, clock_timestamp() AT TIME ZONE 'UTC')) AS f (fee)
 WHERE f.fee > 0`,
};
