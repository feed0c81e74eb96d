import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';

/** What M-PESA answered to an attempt. Where a code of M-PESA's was sent, it is kept as it was. */
export type PaymentAnswer =
  | {
      readonly kind: 'ACCEPTED';
      readonly merchantRequestId: string | null;
      readonly checkoutRequestId: string;
      /** When to ask what became of it. */
      readonly dueMs: number | null;
    }
  /** It is not on its way, and would not be the next time. */
  | { readonly kind: 'REFUSED'; readonly reason: string; readonly resultCode: string | null }
  /** It is not on its way and can be sent again after `dueMs`; null: no more, so it FAILED. */
  | {
      readonly kind: 'RETRY';
      readonly reason: string;
      readonly resultCode: string | null;
      readonly dueMs: number | null;
    }
  /** Nobody knows whether it is on its way. */
  | { readonly kind: 'LOST'; readonly reason: string };

/** Notes the answer to the attempt of this number. An answer to an older one changes no status. */
export async function notePaymentAnswer(
  db: Handle,
  { id, attempt, answer }: { readonly id: string; readonly attempt: number; readonly answer: PaymentAnswer },
): Promise<void> {
  const accepted = answer.kind === 'ACCEPTED' ? answer : null;
  await query(db, NOTE_ANSWER, [
    id,
    attempt,
    answer.kind,
    'reason' in answer ? answer.reason : null,
    'resultCode' in answer ? answer.resultCode : null,
    accepted?.merchantRequestId ?? null,
    accepted?.checkoutRequestId ?? null,
    'dueMs' in answer ? answer.dueMs : null,
  ]);
}

/** What M-PESA answered when it was asked what became of a payment. */
export interface PaymentVerdict {
  /** `CONFIRMED`: it is paid, but an answer to this question names no receipt. `OPEN`: nothing is decided. */
  readonly kind: 'FAILED' | 'CONFIRMED' | 'OPEN';
  readonly reason: string | null;
  readonly resultCode: string | null;
}

/** Notes the verdict; `dueMs` says when to ask again, null that it is not asked again and is UNKNOWN. */
export async function notePaymentVerdict(
  db: Handle,
  {
    id,
    verdict,
    dueMs,
  }: { readonly id: string; readonly verdict: PaymentVerdict; readonly dueMs: number | null },
): Promise<void> {
  const { kind, reason, resultCode } = verdict;
  await query(db, NOTE_QUERY, [id, kind, reason, resultCode, dueMs]);
}

/** Something to do about a payment. `ASSIGN`: its money waits in suspense for its wallet. */
export interface PaymentTask {
  readonly id: string;
  readonly task: 'SEND' | 'QUERY' | 'ASSIGN';
}

/** Takes what is due. Nobody else gets it for `leaseMs`; a SEND is counted as an attempt. */
export async function claimPayments(
  db: Handle,
  { limit, leaseMs }: { readonly limit: number; readonly leaseMs: number },
): Promise<PaymentTask[]> {
  return query<PaymentTask>(db, CLAIM, [limit, leaseMs]);
}

/** Notes that the money was assigned, or why it could not be: then the payment is flagged for a person. */
export async function finishAssignment(db: Handle, id: string, reason: string | null): Promise<void> {
  await query(db, FINISH, [id, reason]);
}

const NOTE_ANSWER: Statement = {
  name: 'payment_answer',
  text: `
SELECT services.note_payment_answer(
    $1::uuid, $2::integer, $3::text, $4::text, $5::text, $6::text, $7::text, $8::integer
  )::text AS done`,
};

const NOTE_QUERY: Statement = {
  name: 'payment_verdict',
  text: `SELECT services.note_payment_query($1::uuid, $2::text, $3::text, $4::text, $5::integer)::text AS done`,
};

const CLAIM: Statement = {
  name: 'payments_claim',
  text: `SELECT id::text AS id, task FROM services.claim_payments($1::integer, $2::integer)`,
};

const FINISH: Statement = {
  name: 'payment_assigned',
  text: `SELECT services.finish_assignment($1::uuid, $2::text)::text AS done`,
};
