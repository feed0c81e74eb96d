import type { Db } from '../connection/db.ts';
import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import type { ErrorCode } from '../error-codes/catalogue.ts';
import { isUuid, requireText } from '../request.ts';
import { PERIOD_CONTROLS, unexplainedOf } from './agreement.ts';
import type { PeriodItem } from './agreement.ts';
import { PeriodError } from './period-error.ts';
import { RECORD, compare, frameOf, match } from './reconcile.ts';
import { readClosed } from './reconciliation-reads.ts';

/** A period of a short code that was closed. Amounts are decimal strings of KES. */
export interface ClosedPeriod {
  readonly id: string;
  readonly shortCode: string;
  readonly from: Date;
  /** The first moment after it. */
  readonly to: Date;
  readonly status: 'CLOSED' | 'REOPENED';
  /** What is posted from this moment on belongs to the day on which it is posted. */
  readonly closedAt: Date;
  readonly closedBy: string;
  /** The report with which it was closed: `findReconciliation`. */
  readonly reconciliationId: string;
  /** What M-PESA held at the end, null when no line says; and what our ledger says. */
  readonly closingBalance: string | null;
  readonly float: string;
  readonly items: readonly PeriodItem[];
  readonly reopened: { readonly at: Date; readonly by: string; readonly reason: string } | null;
}

export interface PeriodRequest {
  readonly shortCode: string;
  readonly from: Date;
  readonly to: Date;
  /** What explains each difference. Default: none. */
  readonly items?: readonly PeriodItem[];
  /** Who closes it. Default: the database role. */
  readonly closedBy?: string;
}

/**
 * Closes the books of a period: M-PESA's statements, its callbacks and our float agree, or each difference is itemised.
 * Afterwards the period answers the same report, healing and importing into it are refused, and a payment that comes too late
 * belongs to the day on which it is posted. Closing a period that is closed changes nothing and answers it.
 *
 * @throws DaftariError `period_not_agreed` (a PeriodError), `period_closed`, `periods_out_of_order`, `period_in_future`,
 * `invalid_request`
 */
export async function closePeriod(db: Db, request: PeriodRequest): Promise<ClosedPeriod> {
  const { shortCode, from, to, items = [], closedBy } = request;
  const frame = frameOf(request);
  if (closedBy !== undefined) requireText('closedBy', closedBy, 100);
  checkItems(items);
  const closed = (await readClosed(db, frame)).find(({ is_same: isSame }) => isSame);
  if (closed !== undefined) return findPeriod(db, closed.id);
  await match(db, frame);
  const [begun] = await query<Outcome>(db, BEGIN, [shortCode, frame.from, frame.to, closedBy ?? null]);
  const id = begun?.id ?? null;
  if (id === null) throw new DaftariError(codeOf(begun));
  let isClosed = false;
  try {
    const { report, text } = await compare(db, { shortCode, from, to });
    const left = unexplainedOf(report, items);
    if (left.length > 0) throw new PeriodError(left);
    await query(db, RECORD, [report.id, shortCode, frame.from, frame.to, text, 0, closedBy ?? null]);
    const { closing, float } = report.controls.period;
    const [row] = await query<{ is_closed: boolean }>(db, END, [
      id,
      report.id,
      closing,
      float,
      JSON.stringify(items),
    ]);
    isClosed = row?.is_closed === true;
  } finally {
    if (!isClosed) await query(db, END, [id, null, null, null, null]);
  }
  if (!isClosed) throw new DaftariError('database_busy');
  return findPeriod(db, id);
}

/**
 * Reopens the last closed period of its short code. Who and why are kept.
 *
 * @throws DaftariError `unknown_period`, `period_not_closed`, `later_period_closed`, `invalid_request`
 */
export async function reopenPeriod(
  db: Db,
  request: { readonly id: string; readonly reason: string; readonly reopenedBy?: string },
): Promise<ClosedPeriod> {
  const { id, reason, reopenedBy } = request;
  requireText('reason', reason, 500);
  if (reopenedBy !== undefined) requireText('reopenedBy', reopenedBy, 100);
  if (!isUuid(id)) throw new DaftariError('unknown_period');
  const [row] = await query<Outcome>(db, REOPEN, [id, reopenedBy ?? null, reason]);
  if (row?.outcome !== 'reopened') throw new DaftariError(codeOf(row));
  return findPeriod(db, id);
}

/** @throws DaftariError `unknown_period` */
export async function findPeriod(db: Handle, id: string): Promise<ClosedPeriod> {
  const [row] = isUuid(id) ? await query<PeriodRow>(db, FIND, [id]) : [];
  if (row === undefined) throw new DaftariError('unknown_period');
  return periodOf(row);
}

/** The periods of a short code that are or were closed, the last one first. At most 1,000. */
export async function listPeriods(db: Handle, shortCode: string): Promise<ClosedPeriod[]> {
  return (await query<PeriodRow>(db, LIST, [shortCode])).map(periodOf);
}

const REFUSALS: readonly ErrorCode[] = [
  'unknown_period',
  'period_closed',
  'period_not_closed',
  'later_period_closed',
  'periods_out_of_order',
  'period_in_future',
];

interface Outcome {
  readonly outcome: string;
  readonly reason: string | null;
  readonly id?: string | null;
}

function codeOf(row: Outcome | undefined): ErrorCode {
  return REFUSALS.find((code) => code === row?.reason) ?? 'database_error';
}

function checkItems(items: readonly PeriodItem[]): void {
  for (const { control, amount, note } of items) {
    const isRight = PERIOD_CONTROLS.includes(control) && /^-?\d{1,17}\.\d{2}$/.test(amount);
    if (!isRight) throw new DaftariError('invalid_request', { field: 'items' });
    requireText('items', note, 500);
  }
}

interface PeriodRow {
  readonly id: string;
  readonly short_code: string;
  readonly from_ms: string;
  readonly to_ms: string;
  readonly status: 'CLOSED' | 'REOPENED';
  readonly closed_ms: string;
  readonly closed_by: string;
  readonly report_id: string;
  readonly closing: string | null;
  readonly float: string;
  readonly items: string;
  readonly reopened_ms: string | null;
  readonly reopened_by: string | null;
  readonly reopened_for: string | null;
}

function periodOf(row: PeriodRow): ClosedPeriod {
  const { reopened_ms: at, reopened_by: by, reopened_for: reason } = row;
  const isReopened = at !== null && by !== null && reason !== null;
  return {
    id: row.id,
    shortCode: row.short_code,
    from: new Date(Number(row.from_ms)),
    to: new Date(Number(row.to_ms)),
    status: row.status,
    closedAt: new Date(Number(row.closed_ms)),
    closedBy: row.closed_by,
    reconciliationId: row.report_id,
    closingBalance: row.closing,
    float: row.float,
    items: JSON.parse(row.items) as PeriodItem[],
    reopened: isReopened ? { at: new Date(Number(at)), by, reason } : null,
  };
}

const BEGIN: Statement = {
  name: 'mpesa_period_begin',
  text: `
SELECT outcome, reason, id::text AS id
  FROM services.begin_mpesa_period(p_short_code => $1::text, p_from => $2::timestamp, p_to => $3::timestamp, p_by => $4::text)`,
};

const END: Statement = {
  name: 'mpesa_period_end',
  text: `
SELECT services.end_mpesa_period(
    p_id => $1::uuid, p_report => $2::uuid, p_closing => $3::numeric, p_float => $4::numeric, p_items => $5::text
) AS is_closed`,
};

const REOPEN: Statement = {
  name: 'mpesa_period_reopen',
  text: `
SELECT outcome, reason FROM services.reopen_mpesa_period(p_id => $1::uuid, p_by => $2::text, p_reason => $3::text)`,
};

const COLUMNS = `
       p.id::text AS id, p.short_code, p.status, p.closed_by, p.report_id::text AS report_id, p.closing::text AS closing,
       p."float"::text AS float, p.items, p.reopened_by, p.reopened_for,
       (extract(epoch FROM p.from_at) * 1000)::bigint::text AS from_ms,
       (extract(epoch FROM p.to_at) * 1000)::bigint::text AS to_ms,
       (extract(epoch FROM p.closed_at) * 1000)::bigint::text AS closed_ms,
       (extract(epoch FROM p.reopened_at) * 1000)::bigint::text AS reopened_ms`;

const FIND: Statement = {
  name: 'mpesa_period_find',
  text: `
SELECT ${COLUMNS}
  FROM services.mpesa_periods p
 WHERE p.id = $1::uuid AND p.status IN ('CLOSED', 'REOPENED')`,
};

const LIST: Statement = {
  name: 'mpesa_periods_list',
  text: `
SELECT ${COLUMNS}
  FROM services.mpesa_periods p
 WHERE p.short_code = $1::text AND p.status IN ('CLOSED', 'REOPENED')
 ORDER BY p.to_at DESC, p.closed_at DESC, p.id
 LIMIT 1000`,
};
