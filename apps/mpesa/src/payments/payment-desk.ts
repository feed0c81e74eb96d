import { findPayment, notePaymentAnswer, notePaymentVerdict } from '@repo/db';
import type { Db, Payment, PaymentAnswer } from '@repo/db';
import type { FastifyBaseLogger } from 'fastify';
import type { PushAnswer } from '../daraja/answers.ts';
import type { Daraja } from '../daraja/client.ts';
import type { PaymentMetrics } from './payment-metrics.ts';
import { queryDelay, retryDelay } from './timings.ts';
import type { PaymentTimings } from './timings.ts';

export interface DeskDependencies {
  readonly db: Db;
  readonly daraja: Daraja;
  readonly metrics: PaymentMetrics;
  readonly log: FastifyBaseLogger;
  readonly timings: PaymentTimings;
  /** Where M-PESA reaches this service, without a slash at the end, and the token of the callback URLs. */
  readonly callbackUrl: () => string;
  readonly callbackToken: string;
}

/** Sends requests to phones and asks what became of them, one payment at a time. */
export interface PaymentDesk {
  /** Sends a payment whose attempt was counted, and notes the answer. */
  send(payment: Payment): Promise<void>;
  /** Asks what became of a payment, and notes it. */
  ask(payment: Payment): Promise<void>;
  /** Asks about a receipt; whether the question was taken. */
  inquire(inquiry: { readonly id: string; readonly receipt: string }): Promise<boolean>;
}

export function createPaymentDesk(deps: DeskDependencies): PaymentDesk {
  const { db, daraja, metrics, log, timings, callbackUrl, callbackToken } = deps;
  const url = (path: string) => `${callbackUrl()}${path}`;

  return {
    async send(payment) {
      const { id, amount, phone, reference, description, attempts } = payment;
      const pushed = await daraja.push({
        amount,
        phone,
        reference,
        description,
        callbackUrl: url(`/stk/${callbackToken}/callback/${id}`),
      });
      const answer = answerOf(pushed, attempts, timings);
      metrics.requests.inc({ answer: pushed.kind.toLowerCase() });
      if (answer.kind !== 'ACCEPTED') report(log, id, answer);
      await notePaymentAnswer(db, { id, attempt: attempts, answer });
    },
    async ask(payment) {
      const { id, checkoutRequestId, checks } = payment;
      if (checkoutRequestId === null) return;
      const verdict = await daraja.query(checkoutRequestId);
      metrics.queries.inc({ verdict: verdict.kind.toLowerCase() });
      await notePaymentVerdict(db, { id, verdict, dueMs: queryDelay(checks, timings) });
    },
    inquire: ({ id, receipt }) =>
      daraja.status({
        receipt,
        resultUrl: url(`/status/${callbackToken}/result/${id}`),
        timeoutUrl: url(`/status/${callbackToken}/timeout/${id}`),
      }),
  };
}

function answerOf(
  pushed: Exclude<PushAnswer, { kind: 'TOKEN' }>,
  attempts: number,
  timings: PaymentTimings,
): PaymentAnswer {
  if (pushed.kind === 'ACCEPTED') return { ...pushed, dueMs: queryDelay(0, timings) };
  if (pushed.kind === 'RETRY') return { ...pushed, dueMs: retryDelay(attempts, timings) };
  return pushed;
}

/** Reasons that a person must do something about: the account at Daraja is not as the settings say. */
const OF_THE_ACCOUNT: ReadonlySet<string> = new Set(['wrong_credentials', 'no_such_merchant', 'no_token']);

function report(
  log: FastifyBaseLogger,
  payment: string,
  { kind, reason }: Exclude<PaymentAnswer, { kind: 'ACCEPTED' }>,
): void {
  const facts = { payment, answer: kind.toLowerCase(), reason };
  if (OF_THE_ACCOUNT.has(reason)) {
    log.error(facts, 'M-PESA does not take our account: check the DARAJA settings');
  } else {
    log.warn(facts, 'a request to a phone was not accepted');
  }
}

/** A payment that was just there. */
export async function requireFound(db: Db, id: string): Promise<Payment> {
  const payment = await findPayment(db, id);
  if (payment === null) throw new RangeError('a payment is never deleted');
  return payment;
}
