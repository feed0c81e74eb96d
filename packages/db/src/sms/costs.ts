import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { requireTime } from '../request.ts';
import { query } from '../connection/handle.ts';

/** `day` is the day in East Africa Time on which a message was queued. */
export type SmsCostKey = 'day' | 'status' | 'network' | 'template';

/** Messages that were charged. Costs are exact, with four decimals. */
export interface SmsCostRow {
  /** For `network`, `unknown` where no report has named one. */
  readonly key: string;
  readonly currency: string;
  readonly messages: number;
  /** As charged. */
  readonly parts: number;
  /** As computed before sending. */
  readonly expectedParts: number;
  readonly cost: string;
}

export interface SmsCostReport {
  readonly rows: readonly SmsCostRow[];
  /** One for each currency. */
  readonly totals: readonly Omit<SmsCostRow, 'key'>[];
  /** Messages without a cost: waiting, refused, or of unknown outcome. */
  readonly uncosted: readonly { readonly key: string; readonly messages: number }[];
}

/** What was charged on a day in East Africa Time. */
export interface SmsSpend {
  /** `YYYY-MM-DD`. */
  readonly day: string;
  /** `XXX` where the provider named none. */
  readonly currency: string;
  readonly messages: number;
  readonly parts: number;
  readonly cost: string;
}

/**
 * What the messages cost that were queued from `from` (included) to `to` (not included).
 *
 * @throws DaftariError `invalid_request` naming the field
 */
export async function smsCostReport(
  db: Handle,
  request: { readonly from: Date; readonly to: Date; readonly by: SmsCostKey },
): Promise<SmsCostReport> {
  const values = [requireTime('from', request.from), requireTime('to', request.to), request.by];
  const found = await query<CostRow>(db, REPORT, values);
  const costed = found.filter((row) => row.currency !== null);
  return {
    rows: costed.filter(({ is_total }) => !is_total).map((row) => ({ key: row.key ?? '', ...sumsOf(row) })),
    totals: costed.filter(({ is_total }) => is_total).map(sumsOf),
    uncosted: found
      .filter((row) => row.currency === null && !row.is_total)
      .map(({ key, messages }) => ({ key: key ?? '', messages: Number(messages) })),
  };
}

/**
 * What was charged by the day on which the provider's answer came, which is what a budget looks at. Both days are
 * included, the latest comes first. Default: today.
 *
 * @throws DaftariError `invalid_request` naming the field
 */
export async function smsSpend(
  db: Handle,
  request: { readonly from?: string; readonly to?: string } = {},
): Promise<SmsSpend[]> {
  requireDay('from', request.from);
  requireDay('to', request.to);
  const rows = await query<SpendRow>(db, SPEND, [request.from ?? null, request.to ?? null]);
  return rows.map((row) => ({ ...row, messages: Number(row.messages), parts: Number(row.parts) }));
}

function requireDay(field: string, day: string | undefined): void {
  if (day === undefined) return;
  const time = new Date(`${day}T00:00:00.000Z`);
  const isDay = !Number.isNaN(time.getTime()) && time.toISOString().slice(0, 10) === day;
  if (!isDay) throw new DaftariError('invalid_request', { field });
}

function sumsOf(row: CostRow): Omit<SmsCostRow, 'key'> {
  return {
    currency: row.currency ?? '',
    messages: Number(row.messages),
    parts: Number(row.parts),
    expectedParts: Number(row.expected_parts),
    cost: row.cost,
  };
}

interface CostRow {
  readonly is_total: boolean;
  readonly key: string | null;
  readonly currency: string | null;
  readonly messages: string;
  readonly parts: string;
  readonly expected_parts: string;
  readonly cost: string;
}

interface SpendRow {
  readonly day: string;
  readonly currency: string;
  readonly messages: string;
  readonly parts: string;
  readonly cost: string;
}

const REPORT: Statement = {
  name: 'sms_cost_report',
  text: `
SELECT is_total, key, currency, messages::text AS messages, parts::text AS parts, expected_parts::text AS expected_parts,
       cost::text AS cost
  FROM services.sms_cost_report($1::timestamp, $2::timestamp, $3::text)
 ORDER BY is_total, key, currency`,
};

const SPEND: Statement = {
  name: 'sms_spend',
  text: `
SELECT day::text AS day, currency::text AS currency, messages::text AS messages, parts::text AS parts, cost::text AS cost
  FROM services.sms_spend
 WHERE day >= coalesce($1::date, services.eat_day(now() AT TIME ZONE 'UTC'))
   AND day <= coalesce($2::date, services.eat_day(now() AT TIME ZONE 'UTC'))
 ORDER BY day DESC, currency`,
};
