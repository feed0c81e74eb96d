import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { reportedBalance } from '../deposits/reported-balance.ts';
import { firstId } from '../deposits/callback-list.ts';
import { requireTime } from '../request.ts';
import type { BalancedPayment } from './balance-jumps.ts';
import type { HourCount } from './silences.ts';

export interface GapFrame {
  readonly from: Date;
  readonly to: Date;
  /** Of one short code alone; null for all. */
  readonly shortCode: string | null;
}

/** A payment is received within this time of when it was paid, or late: then it was healed, and counts from then on. */
const LATE_MS = 7 * 86_400_000;

/** Clocks differ a little: a payment may be recorded before the time at which it was paid. */
const EARLY_MS = 600_000;

/** Payments that were paid in a period, by their short codes. */
export async function readBalances(
  db: Handle,
  frame: GapFrame,
): Promise<(BalancedPayment & { readonly shortCode: string })[]> {
  const rows = await query<BalanceRow>(db, BALANCES, valuesOf(frame));
  return rows.map(({ short_code: shortCode, receipt, at_ms: at, cents, balance }) => ({
    shortCode,
    receipt,
    atMs: Number(at),
    cents: BigInt(cents),
    balance: balance === null ? null : BigInt(balance),
  }));
}

/** How many payments were paid in each hour of a period. */
export async function readHours(db: Handle, frame: GapFrame): Promise<HourCount[]> {
  const rows = await query<HourRow>(db, HOURS, valuesOf(frame));
  return rows.map(({ short_code: shortCode, hour, payments }) => ({
    shortCode,
    hour: Number(hour),
    payments: Number(payments),
  }));
}

/** A payment of which no callback has told: it was found by other means. */
export interface MissedCallback {
  readonly shortCode: string;
  readonly receipt: string;
  readonly amount: string;
  readonly kind: string;
  readonly paidAt: Date;
  readonly foundAt: Date;
}

/** Payments that were found in a period, and of which no callback has told until now. */
export async function readMissed(db: Handle, { from, to, shortCode }: GapFrame): Promise<MissedCallback[]> {
  const ids = [firstId(from.getTime()), firstId(to.getTime() + EARLY_MS)];
  const values = [...ids, requireTime('from', from), requireTime('to', to), shortCode];
  const rows = await query<MissedRow>(db, MISSED, values);
  return rows.map((row) => ({
    shortCode: row.short_code,
    receipt: row.receipt,
    amount: row.amount,
    kind: row.kind,
    paidAt: new Date(Number(row.paid_at_ms)),
    foundAt: new Date(Number(row.found_at_ms)),
  }));
}

function valuesOf({ from, to, shortCode }: GapFrame) {
  return [
    requireTime('from', from),
    requireTime('to', to),
    requireTime('from', new Date(from.getTime() - EARLY_MS)),
    requireTime('to', new Date(to.getTime() + LATE_MS)),
    shortCode,
  ];
}

interface BalanceRow {
  readonly short_code: string;
  readonly receipt: string;
  readonly at_ms: string;
  readonly cents: string;
  readonly balance: string | null;
}

interface HourRow {
  readonly short_code: string;
  readonly hour: string;
  readonly payments: string;
}

interface MissedRow {
  readonly short_code: string;
  readonly receipt: string;
  readonly amount: string;
  readonly kind: string;
  readonly paid_at_ms: string;
  readonly found_at_ms: string;
}

/** By when they were recorded, which has the index. */
const IN_PERIOD = `
       l.created_at >= $3::timestamp AND l.created_at < $4::timestamp
   AND l.paid_at >= $1::timestamp AND l.paid_at < $2::timestamp
   AND l.short_code IS NOT NULL AND ($5::text IS NULL OR l.short_code = $5::text)`;

const BALANCES: Statement = {
  name: 'gap_balances',
  text: `
SELECT l.short_code, l.mpesa_receipt AS receipt, (extract(epoch FROM l.paid_at) * 1000)::bigint::text AS at_ms,
       (l.amount * 100)::bigint::text AS cents,
       (p.balance::numeric * 100)::bigint::text AS balance
  FROM services.mpesa_logs l
 CROSS JOIN LATERAL (SELECT ${reportedBalance('l')} AS balance) p
 WHERE ${IN_PERIOD}
 ORDER BY l.short_code, l.paid_at, l.mpesa_receipt`,
  overNodes: `
WITH payments AS MATERIALIZED (
    SELECT l.* FROM lanes.payments_between($1::timestamp, $2::timestamp, $3::timestamp, $4::timestamp, $5::text) l
)
SELECT l.short_code, l.receipt, (extract(epoch FROM l.paid_at) * 1000)::bigint::text AS at_ms,
       (l.amount * 100)::bigint::text AS cents, (p.balance::numeric * 100)::bigint::text AS balance
  FROM payments l
  JOIN lanes.reported_balances(ARRAY(SELECT x.receipt FROM payments x)) p ON p.receipt = l.receipt
 ORDER BY l.short_code, l.paid_at, l.receipt`,
};

const HOURS: Statement = {
  name: 'gap_hours',
  text: `
SELECT l.short_code, floor(extract(epoch FROM l.paid_at) / 3600)::bigint::text AS hour, count(*)::text AS payments
  FROM services.mpesa_logs l
 WHERE ${IN_PERIOD}
 GROUP BY 1, floor(extract(epoch FROM l.paid_at) / 3600)`,
};

const missedText = (ofLane: (alias: string) => string): string => `
SELECT coalesce(l.short_code, '') AS short_code, c.receipt, l.amount::text AS amount, c.kind,
       (extract(epoch FROM coalesce(l.paid_at, l.created_at)) * 1000)::bigint::text AS paid_at_ms,
       (extract(epoch FROM c.received_at) * 1000)::bigint::text AS found_at_ms
  FROM services.mpesa_callbacks c
  JOIN services.mpesa_logs l ON l.mpesa_receipt = c.receipt${ofLane('l')}
 WHERE c.id >= $1::uuid AND c.id < $2::uuid AND c.received_at >= $3::timestamp AND c.received_at < $4::timestamp
   AND c.kind IN ('PULL', 'STATEMENT') AND c.outcome IN ('CREDITED', 'SUSPENSE', 'HELD')
   AND ($5::text IS NULL OR l.short_code = $5::text)
   AND NOT EXISTS (
       SELECT FROM services.mpesa_callbacks o
        WHERE o.receipt = c.receipt${ofLane('o')} AND o.kind IN ('C2B_CONFIRMATION', 'STK_CALLBACK', 'STATUS_RESULT')
   )`;

// What was told of a payment lies in the lane of its log.
const MISSED: Statement = {
  name: 'gap_missed',
  text: missedText(() => ''),
  overNodes: missedText((alias) => ` AND ${alias}.lane = c.lane`),
};
