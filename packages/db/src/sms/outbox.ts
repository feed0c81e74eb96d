import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { requireText } from '../request.ts';
import { query } from '../connection/handle.ts';

/** What waits, for a look at it every few seconds. Each count stops at 100,000, so that looking stays cheap. */
export interface SmsOutbox {
  readonly queued: number;
  readonly sending: number;
  /** Of unknown outcome: they wait for a report or a person. */
  readonly unknown: number;
  /** For how long the important message that has waited longest could have been sent; null when none could. */
  readonly oldestDueMs: number | null;
  /** The same of the unimportant, which wait by intent when the day's budget is spent. */
  readonly oldestUnimportantDueMs: number | null;
}

/** How much waits in the outbox, and for how long. */
export async function smsOutbox(db: Handle): Promise<SmsOutbox> {
  const [row] = await query<OutboxRow>(db, OUTBOX, []);
  if (row === undefined) throw new DaftariError('database_error');
  return {
    queued: row.queued,
    sending: row.sending,
    unknown: row.unknown,
    oldestDueMs: ageOf(row.oldest_ms),
    oldestUnimportantDueMs: ageOf(row.oldest_unimportant_ms),
  };
}

/** An attempt that is recorded as under way. */
export interface SmsAttempt {
  readonly id: string;
  readonly attempt: number;
}

/**
 * The attempts under way by this sender's name. After a claim whose answer was lost they show the sender what it has
 * claimed without knowing: what it did not send it can settle as `retry`. Only for names that no other process has, and
 * only while no claim is under way.
 */
export async function smsAttemptsOf(
  db: Handle,
  request: { readonly sender: string },
): Promise<readonly SmsAttempt[]> {
  requireText('sender', request.sender, 64);
  return query<SmsAttempt>(db, ATTEMPTS, [request.sender]);
}

function ageOf(milliseconds: string | null): number | null {
  return milliseconds === null ? null : Number(milliseconds);
}

interface OutboxRow {
  readonly queued: number;
  readonly sending: number;
  readonly unknown: number;
  readonly oldest_ms: string | null;
  readonly oldest_unimportant_ms: string | null;
}

const MOST = '100000';

const countOf = (phase: string) => `(
    SELECT count(*)::integer FROM (
        SELECT 1 FROM services.sms_logs WHERE phase = '${phase}' LIMIT ${MOST}
    ) l
)`;

const oldestOf = (priority: 0 | 1) => `(
    SELECT ceil(extract(epoch FROM n.now - l.next_attempt_at) * 1000)::bigint::text
      FROM services.sms_logs l
     WHERE l.phase = 'QUEUED' AND l.priority = ${String(priority)} AND l.next_attempt_at <= n.now
     ORDER BY l.next_attempt_at LIMIT 1
)`;

const OUTBOX: Statement = {
  name: 'sms_outbox',
  text: `
SELECT ${countOf('QUEUED')} AS queued, ${countOf('SENDING')} AS sending, ${countOf('UNKNOWN')} AS unknown,
       ${oldestOf(0)} AS oldest_ms, ${oldestOf(1)} AS oldest_unimportant_ms
  FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS now) n`,
  overNodes: `
SELECT queued, sending, unknown, oldest_ms::text AS oldest_ms, oldest_unimportant_ms::text AS oldest_unimportant_ms
  FROM lanes.sms_outbox(${MOST})`,
};

const ATTEMPTS: Statement = {
  name: 'sms_attempts_of',
  text: `
SELECT id::text AS id, attempts::integer AS attempt
  FROM services.sms_logs
 WHERE phase = 'SENDING' AND lease_until IS NOT NULL AND claimed_by = $1::text`,
};
