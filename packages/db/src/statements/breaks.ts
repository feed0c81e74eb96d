import { arrayLiteral } from '../connection/array-literal.ts';
import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { isUuid, requireText } from '../request.ts';
import type { ReconciliationState } from './reconciliation.ts';

export const BREAK_STATUSES = ['OPEN', 'ASSIGNED', 'PROPOSED', 'APPROVED', 'RESOLVED'] as const;
export type BreakStatus = (typeof BREAK_STATUSES)[number];

/** How old a break is: under a day, one to three, three to seven, over seven. */
export const BREAK_AGES = ['<1d', '1-3d', '3-7d', '>7d'] as const;
export type BreakAge = (typeof BREAK_AGES)[number];

/** What people do about a break; `approve` is for another person than the one who proposed. */
export const BREAK_ACTIONS = ['assign', 'propose', 'approve', 'reject', 'resolve', 'reopen'] as const;
export type BreakAction = (typeof BREAK_ACTIONS)[number];

/** Why a break is there, as people propose it. */
export const BREAK_REASONS = [
  'timing',
  'mpesa_error',
  'posting_error',
  'duplicate',
  'refunded',
  'disputed',
  'written_off',
  'other',
] as const;
export type BreakReason = (typeof BREAK_REASONS)[number];

/** A line or a movement that somebody must act on, and how far that is. It names no customer. */
export interface WorkedBreak {
  readonly id: string;
  readonly shortCode: string;
  readonly side: 'statement' | 'ledger';
  readonly state: ReconciliationState;
  /** As the report says it; `explained_after_decision` when it was explained after a person had resolved it. */
  readonly why: string | null;
  readonly reference: string;
  readonly kind: string;
  readonly amount: string;
  readonly ledgerAmount: string | null;
  readonly at: Date;
  readonly age: BreakAge;
  readonly dueAt: Date;
  readonly isOverdue: boolean;
  readonly status: BreakStatus;
  readonly assignee: string | null;
  readonly proposedBy: string | null;
  readonly reason: BreakReason | null;
  readonly comment: string | null;
  readonly evidence: string | null;
  /** Counts what happened to it: a change that names an older version is refused. */
  readonly version: number;
}

/** Which breaks; what is not said is not limited. */
export interface BreakFilter {
  readonly shortCode?: string;
  readonly status?: BreakStatus;
  readonly state?: ReconciliationState;
  readonly age?: BreakAge;
  readonly assignee?: string;
  readonly isOverdue?: boolean;
  /** Decimal strings of KES; both are included. */
  readonly minAmount?: string;
  readonly maxAmount?: string;
}

export interface BreakChange {
  readonly action: BreakAction;
  /** Who does it: another than who proposed, to approve. */
  readonly by: string;
  /** Breaks by id, with the version that was seen, or those that a filter finds. */
  readonly breaks: readonly { readonly id: string; readonly version?: number }[] | BreakFilter;
  /** Required to assign. */
  readonly assignee?: string;
  /** Required to propose. */
  readonly reason?: BreakReason;
  /** Required to reopen. */
  readonly comment?: string;
  /** Where the proof is: a ticket, a file, a line of a mail. */
  readonly evidence?: string;
  /** Say what would happen, and change nothing. Default: false. */
  readonly isTrial?: boolean;
}

export interface BreakChanges {
  /** How many were changed, or would be. */
  readonly changed: number;
  readonly refused: readonly {
    readonly id: string;
    readonly reason: 'unknown_break' | 'stale' | 'wrong_status' | 'same_person';
  }[];
}

/** At most this many are listed or changed at a time. */
const MOST = 1_000;

/** Breaks, those that are due first at the beginning. At most 1,000. `now` decides about age. Default: now. */
export async function listBreaks(
  db: Handle,
  filter: BreakFilter = {},
  now = new Date(),
): Promise<WorkedBreak[]> {
  const rows = await query<BreakRow>(db, LIST, [
    ...filterValues(filter),
    now.toISOString().slice(0, -1),
    MOST,
  ]);
  return rows.map(breakOf);
}

/**
 * Changes breaks: by id, or all that a filter finds, at most 1,000. Each is changed or refused by itself; a trial says how
 * many would be.
 *
 * @throws DaftariError `invalid_request` naming the field
 */
export async function changeBreaks(db: Handle, change: BreakChange): Promise<BreakChanges> {
  const { action, by, assignee, reason, comment, evidence, isTrial = false } = change;
  requireText('by', by, 100);
  const needed = { assign: assignee, propose: reason, reopen: comment, approve: '', reject: '', resolve: '' };
  const fields = {
    assign: 'assignee',
    propose: 'reason',
    reopen: 'comment',
    approve: '',
    reject: '',
    resolve: '',
  };
  if (!BREAK_ACTIONS.includes(action)) throw new DaftariError('invalid_request', { field: 'action' });
  if (needed[action] === undefined) throw new DaftariError('invalid_request', { field: fields[action] });
  if (reason !== undefined && !BREAK_REASONS.includes(reason))
    throw new DaftariError('invalid_request', { field: 'reason' });
  for (const [field, text] of Object.entries({ assignee, comment, evidence })) {
    if (text !== undefined) requireText(field, text, field === 'assignee' ? 100 : 1_000);
  }
  const chosen = 'length' in change.breaks ? [...change.breaks] : await listBreaks(db, change.breaks);
  if (chosen.length > MOST || chosen.some(({ id }) => !isUuid(id)))
    throw new DaftariError('invalid_request', { field: 'breaks' });
  const rows = await query<OutcomeRow>(db, CHANGE, [
    arrayLiteral(chosen.map(({ id }) => id)),
    arrayLiteral(chosen.map(({ version }) => (version === undefined ? null : String(version)))),
    action,
    by,
    assignee ?? null,
    reason ?? null,
    comment ?? null,
    evidence ?? null,
    isTrial,
  ]);
  return {
    changed: rows.filter(({ outcome }) => outcome === 'changed').length,
    refused: rows.flatMap(({ id, reason: why }) => (why === null ? [] : [{ id, reason: why }])),
  };
}

/** What was done about a break, oldest first. @throws DaftariError `unknown_break` */
export async function breakHistory(db: Handle, id: string): Promise<BreakEvent[]> {
  const rows = isUuid(id) ? await query<EventRow>(db, HISTORY, [id]) : [];
  if (rows.length === 0) throw new DaftariError('unknown_break');
  return rows.map(({ at_ms: at, ...event }) => ({ ...event, at: new Date(Number(at)) }));
}

export interface BreakEvent {
  readonly version: number;
  /** What people do, or what reconciliation found: `found`, `changed` or `explained`. */
  readonly action: BreakAction | 'found' | 'changed' | 'explained';
  readonly status: BreakStatus;
  readonly actor: string;
  readonly assignee: string | null;
  readonly reason: BreakReason | null;
  readonly comment: string | null;
  readonly evidence: string | null;
  readonly at: Date;
}

type EventRow = Omit<BreakEvent, 'at'> & { readonly at_ms: string };

interface OutcomeRow {
  readonly id: string;
  readonly outcome: string;
  readonly reason: BreakChanges['refused'][number]['reason'] | null;
}

interface BreakRow extends Omit<
  WorkedBreak,
  'shortCode' | 'ledgerAmount' | 'at' | 'dueAt' | 'isOverdue' | 'proposedBy'
> {
  readonly short_code: string;
  readonly ledger_amount: string | null;
  readonly at_ms: string;
  readonly due_ms: string;
  readonly is_overdue: boolean;
  readonly proposed_by: string | null;
}

function breakOf(row: BreakRow): WorkedBreak {
  return {
    id: row.id,
    shortCode: row.short_code,
    side: row.side,
    state: row.state,
    why: row.why,
    reference: row.reference,
    kind: row.kind,
    amount: row.amount,
    ledgerAmount: row.ledger_amount,
    at: new Date(Number(row.at_ms)),
    age: row.age,
    dueAt: new Date(Number(row.due_ms)),
    isOverdue: row.is_overdue,
    status: row.status,
    assignee: row.assignee,
    proposedBy: row.proposed_by,
    reason: row.reason,
    comment: row.comment,
    evidence: row.evidence,
    version: row.version,
  };
}

function filterValues(filter: BreakFilter) {
  for (const field of ['minAmount', 'maxAmount'] as const) {
    const text = filter[field];
    if (text !== undefined && !/^\d{1,17}(\.\d{1,2})?$/.test(text))
      throw new DaftariError('invalid_request', { field });
  }
  return [
    filter.shortCode ?? null,
    filter.status ?? null,
    filter.state ?? null,
    filter.age ?? null,
    filter.assignee ?? null,
    filter.isOverdue ?? null,
    filter.minAmount ?? null,
    filter.maxAmount ?? null,
  ];
}

const LIST: Statement = {
  name: 'mpesa_breaks_list',
  text: `
SELECT b.id::text AS id, b.short_code, b.side, b.state, b.why, b.reference, b.kind, b.amount::text AS amount,
       b.ledger_amount::text AS ledger_amount, (extract(epoch FROM b.happened_at) * 1000)::bigint::text AS at_ms,
       a.age, (extract(epoch FROM b.due_at) * 1000)::bigint::text AS due_ms, a.is_overdue, b.status, b.assignee,
       b.proposed_by, b.reason, b.comment, b.evidence, b.version
  FROM services.mpesa_breaks b
 CROSS JOIN LATERAL (
    SELECT CASE
               WHEN $9::timestamp - b.happened_at < interval '1 day' THEN '<1d'
               WHEN $9::timestamp - b.happened_at < interval '3 days' THEN '1-3d'
               WHEN $9::timestamp - b.happened_at <= interval '7 days' THEN '3-7d'
               ELSE '>7d'
           END AS age,
           b.status <> 'RESOLVED' AND b.due_at < $9::timestamp AS is_overdue
 ) a
 WHERE ($1::text IS NULL OR b.short_code = $1) AND ($2::text IS NULL OR b.status = $2)
   AND ($3::text IS NULL OR b.state = $3) AND ($4::text IS NULL OR a.age = $4)
   AND ($5::text IS NULL OR b.assignee = $5) AND ($6::boolean IS NULL OR a.is_overdue = $6)
   AND ($7::numeric IS NULL OR b.amount >= $7) AND ($8::numeric IS NULL OR b.amount <= $8)
 ORDER BY b.due_at, b.id
 LIMIT $10::integer`,
};

const CHANGE: Statement = {
  name: 'mpesa_breaks_change',
  text: `
SELECT id::text AS id, outcome, reason
  FROM services.change_mpesa_breaks(
      p_ids => $1::uuid[], p_versions => $2::integer[], p_action => $3::text, p_by => $4::text, p_assignee => $5::text,
      p_reason => $6::text, p_comment => $7::text, p_evidence => $8::text, p_is_trial => $9::boolean
  )`,
};

const HISTORY: Statement = {
  name: 'mpesa_break_history',
  text: `
SELECT e.version, e.action, e.status, e.actor, e.assignee, e.reason, e.comment, e.evidence,
       (extract(epoch FROM e.created_at) * 1000)::bigint::text AS at_ms
  FROM services.mpesa_break_events e
 WHERE e.break_id = $1::uuid
 ORDER BY e.version`,
};
