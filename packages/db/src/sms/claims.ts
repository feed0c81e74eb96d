import { DaftariError } from '../errors.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { requireText } from '../request.ts';
import type { SmsLanguage, SmsPriority } from './messages.ts';
import { query } from '../connection/handle.ts';

export interface SmsBudget {
  /** For one day in East Africa Time, a decimal string: above it only important messages are claimed. */
  readonly amount: string;
  readonly currency: string;
}

export interface SmsClaimRequest {
  /** Which process asks, for people; at most 64 characters. */
  readonly sender: string;
  /** Through whom the attempt is made, at most 30 characters: delivery reports name the same. */
  readonly provider: string;
  /** How many requests can leave at once: no more than that is claimed. */
  readonly limit: number;
  /** How long the attempt may take, its recording included, before others take its outcome for unknown. */
  readonly leaseMs: number;
  /** Older news is not sent any more: it fails as `expired`. Counts from a person's decision to send again. */
  readonly maxAgeMs: number;
  readonly budget?: SmsBudget;
}

/** A message whose attempt has begun and is recorded: send it now, or settle it as `retry`. */
export interface ClaimedSms {
  readonly id: string;
  /** Which attempt this is, from 1; the settlement names it. */
  readonly attempt: number;
  readonly recipient: string | null;
  /** Set where there is no number: SHA-256 of it, for providers that accept hashes. */
  readonly recipientHash: string | null;
  readonly message: string;
  readonly template: string;
  readonly language: SmsLanguage;
  readonly priority: SmsPriority;
  readonly transactionReference: string | null;
  readonly createdAt: Date;
}

export interface SmsClaim {
  readonly messages: readonly ClaimedSms[];
  /** How many were not claimed but failed: `expired`, `opted_out` or `no_recipient`. */
  readonly failed: number;
  /** The day's budget is spent: unimportant messages wait. */
  readonly isPaused: boolean;
  /** Four fifths of the day's budget are spent. */
  readonly isNearBudget: boolean;
  /** What is spent today in the budget's currency; null without a budget. */
  readonly spent: string | null;
  /** After how many milliseconds to ask again: 0 when there may be more now, null when nothing waits at all. */
  readonly nextDueMs: number | null;
}

/**
 * Claims what is due, the important first and the longest due first, each by one sender only. The claim is the record
 * of the attempt: it is committed before a request leaves, so ask for no more than can leave at once, and do not call
 * it in a transaction that ends later than that.
 *
 * @throws DaftariError `invalid_request` naming the field
 */
export async function claimSms(db: Handle, request: SmsClaimRequest): Promise<SmsClaim> {
  requireText('sender', request.sender, 64);
  requireText('provider', request.provider, 30);
  requireWhole('limit', request.limit, 10_000);
  requireWhole('leaseMs', request.leaseMs, 86_400_000);
  requireWhole('maxAgeMs', request.maxAgeMs, Number.MAX_SAFE_INTEGER);
  const { budget } = request;
  if (budget !== undefined && !/^\d{1,15}(\.\d{1,4})?$/.test(budget.amount))
    throw new DaftariError('invalid_request', { field: 'budget' });
  const [summary, ...rows] = await query<ClaimRow>(db, CLAIM, [
    request.sender,
    request.provider,
    request.limit,
    request.leaseMs,
    String(request.maxAgeMs),
    budget?.amount ?? null,
    budget?.currency ?? null,
  ]);
  if (summary === undefined) throw new DaftariError('database_error');
  return {
    messages: rows.map(claimedOf),
    failed: summary.failed,
    isPaused: summary.paused,
    isNearBudget: summary.warned,
    spent: summary.spent,
    nextDueMs: summary.next_due_ms === null ? null : Number(summary.next_due_ms),
  };
}

/**
 * Marks attempts whose lease is over as unknown: they are never sent again by themselves. Every sender may call it.
 * Default: a thousand at most.
 */
export async function expireSmsLeases(
  db: Handle,
  request: { readonly limit?: number } = {},
): Promise<{ readonly expired: number }> {
  const [row] = await query<{ expired: number }>(db, EXPIRE, [request.limit ?? 1000]);
  return { expired: row?.expired ?? 0 };
}

function requireWhole(field: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw new DaftariError('invalid_request', { field });
}

function claimedOf(row: ClaimRow): ClaimedSms {
  return {
    id: row.id,
    attempt: row.attempt,
    recipient: row.recipient,
    recipientHash: row.recipient_hash,
    message: row.message,
    template: row.template,
    language: row.language,
    priority: row.priority,
    transactionReference: row.transaction_reference,
    createdAt: new Date(Number(row.created_at_ms)),
  };
}

interface ClaimRow {
  readonly id: string;
  readonly attempt: number;
  readonly recipient: string | null;
  readonly recipient_hash: string | null;
  readonly message: string;
  readonly template: string;
  readonly language: SmsLanguage;
  readonly priority: SmsPriority;
  readonly transaction_reference: string | null;
  readonly created_at_ms: string;
  readonly failed: number;
  readonly paused: boolean;
  readonly warned: boolean;
  readonly spent: string | null;
  readonly next_due_ms: string | null;
}

// The first row is about the claim and has no id.
const CLAIM: Statement = {
  name: 'sms_claim',
  text: `
SELECT id::text AS id, attempt, recipient, recipient_hash, message, template, language, priority, transaction_reference,
       (extract(epoch FROM created_at) * 1000)::bigint::text AS created_at_ms,
       failed, paused, warned, spent::numeric(19,4)::text AS spent, next_due_ms::text AS next_due_ms
  FROM services.claim_sms($1::text, $2::text, $3::integer, $4::integer, $5::bigint, $6::numeric, $7::text)
 ORDER BY id NULLS FIRST`,
};

const EXPIRE: Statement = {
  name: 'sms_expire_leases',
  text: `SELECT services.expire_sms_leases($1::integer) AS expired`,
};
