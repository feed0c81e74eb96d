import type { Db } from '../connection/db.ts';
import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { fixMoment } from '../connection/moment-over-nodes.ts';
import { transaction } from '../connection/transaction.ts';
import { DaftariError } from '../errors.ts';
import { isUuid, requireText, requireTime } from '../request.ts';
import { buildReport } from './build-report.ts';
import { healMissing } from './heal.ts';
import type { HealOptions } from './heal.ts';
import { postLines } from './post-lines.ts';
import type { ReconciliationReport } from './reconciliation.ts';
import { readBalances, readClosed, readInputs, readItems, readLate } from './reconciliation-reads.ts';
import type { Frame } from './reconciliation-reads.ts';

export interface ReconciliationRequest extends HealOptions {
  readonly shortCode: string;
  /** From this moment on. */
  readonly from: Date;
  /** Before this moment. */
  readonly to: Date;
  /** Credit what the statement shows and the ledger lacks, and post charges, settlements and reversals. Default: false. */
  readonly heal?: boolean;
  /** Who reconciles. Default: the database role. */
  readonly runBy?: string;
}

export interface Reconciliation {
  readonly report: ReconciliationReport;
  /** The report as JSON, as it is kept. */
  readonly text: string;
  /** Payments that this run credited. */
  readonly healed: number;
  /** Charges, settlements and reversals that this run posted. */
  readonly posted: number;
}

const TIMEOUT_MS = 15 * 60_000;

/** Statements lie on one node, the ledger on the others. */
const MOMENT = {
  name: 'mpesa_reconciliation_moment',
  tables: ['core.transactions', 'core.wallets', 'services.mpesa_statement_lines'],
} as const;

/**
 * Compares the statements of a short code with the ledger, for a period: every line and every movement gets exactly one
 * state. The report and the run are kept.
 *
 * A period that is closed answers the report with which it was closed.
 *
 * @throws DaftariError `invalid_request` naming the field, `period_closed` when it is to be healed
 */
export async function reconcile(db: Db, request: ReconciliationRequest): Promise<Reconciliation> {
  const { shortCode, from, to, runBy } = request;
  const frame = frameOf(request);
  if (runBy !== undefined) requireText('runBy', runBy, 100);
  const closed = await readClosed(db, frame);
  if (closed.length > 0 && request.heal === true) throw new DaftariError('period_closed');
  const kept = closed.find(({ is_same: isSame }) => isSame);
  if (kept !== undefined) {
    return {
      report: JSON.parse(kept.report) as ReconciliationReport,
      text: kept.report,
      healed: 0,
      posted: 0,
    };
  }
  await match(db, frame);
  const healed = request.heal === true ? await healMissing(db, frame, request) : 0;
  if (healed > 0) await match(db, frame);
  const posted = request.heal === true ? await postLines(db, frame) : 0;
  const { report, text } = await compare(db, { shortCode, from, to });
  await query(db, RECORD, [report.id, shortCode, frame.from, frame.to, text, healed, runBy ?? null]);
  await query(db, NOTE_BREAKS, [shortCode, frame.from, frame.to, runBy ?? null]);
  return { report, text, healed, posted };
}

/** The report of a period as files and ledger are now, in one snapshot, on one server or over several. */
export async function compare(
  db: Db,
  period: Pick<ReconciliationRequest, 'shortCode' | 'from' | 'to'>,
): Promise<{ readonly report: ReconciliationReport; readonly text: string }> {
  const frame = frameOf(period);
  const isDistributed = await db.form.isDistributed((question) => query(db, question, []));
  const read = async (handle: Handle) => {
    if (isDistributed) await fixMoment(db, handle, MOMENT);
    return {
      items: await readItems(handle, frame),
      inputs: await readInputs(handle, frame),
      balances: await readBalances(handle, frame),
      late: await readLate(handle, frame),
    };
  };
  const { balances, ...facts } = await transaction(db, read, { isSnapshot: true, timeoutMs: TIMEOUT_MS });
  const [balance] = balances;
  if (balance === undefined) throw new DaftariError('database_error');
  return buildReport({ ...period, ...facts, balances: balance });
}

/** The text of a report that was kept. @throws DaftariError `unknown_reconciliation` */
export async function findReconciliation(db: Handle, id: string): Promise<string> {
  const [row] = isUuid(id) ? await query<{ report: string }>(db, FIND, [id]) : [];
  if (row === undefined) throw new DaftariError('unknown_reconciliation');
  return row.report;
}

export function frameOf({
  shortCode,
  from,
  to,
}: Pick<ReconciliationRequest, 'shortCode' | 'from' | 'to'>): Frame {
  if (!/^\d{3,10}$/.test(shortCode)) throw new DaftariError('invalid_request', { field: 'shortCode' });
  if (!(from.getTime() < to.getTime())) throw new DaftariError('invalid_request', { field: 'to' });
  return { shortCode, from: requireTime('from', from), to: requireTime('to', to) };
}

export async function match(db: Handle, { shortCode, from, to }: Frame): Promise<void> {
  await query(db, MATCH, [shortCode, from, to]);
}

const MATCH: Statement = {
  name: 'mpesa_lines_match',
  text: `SELECT services.match_mpesa_lines(p_short_code => $1::text, p_from => $2::timestamp, p_to => $3::timestamp) AS matched`,
};

export const RECORD: Statement = {
  name: 'mpesa_reconciliation_record',
  text: `
SELECT services.record_mpesa_reconciliation(
    $1::uuid, $2::text, $3::timestamp, $4::timestamp, $5::text, $6::integer, $7::text
)::text AS done`,
};

const NOTE_BREAKS: Statement = {
  name: 'mpesa_breaks_note',
  text: `
SELECT services.note_mpesa_breaks(
    p_short_code => $1::text, p_from => $2::timestamp, p_to => $3::timestamp, p_by => $4::text
) AS noted`,
};

const FIND: Statement = {
  name: 'mpesa_reconciliation_find',
  text: `SELECT report FROM services.mpesa_reconciliations WHERE id = $1::uuid`,
};
