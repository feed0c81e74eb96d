import { claimInquiries, claimPayments } from '@repo/db';
import type { PaymentTask } from '@repo/db';
import { startRepeating } from '@repo/http';
import type { Repeating } from '@repo/http';
import { assignPaid } from './assign-paid.ts';
import { requireFound } from './payment-desk.ts';
import type { DeskDependencies, PaymentDesk } from './payment-desk.ts';

/** Taken at once. What is taken is done at once as well, so it is small: a lease must outlast it. */
const BATCH = 16;

/**
 * Does what is due about payments, round after round: sends again what M-PESA was too busy for, asks what became of the
 * others, and asks about receipts that prove nothing. Every process does so for all. It stops between two rounds.
 */
export function startPaymentRunner(
  deps: Pick<DeskDependencies, 'db' | 'daraja' | 'log' | 'timings'>,
  desk: PaymentDesk,
): Repeating {
  const { db, daraja, log, timings } = deps;
  const { leaseMs, pauseMs, mostInquiries } = timings;

  async function perform({ id, task }: PaymentTask): Promise<void> {
    try {
      const payment = await requireFound(db, id);
      if (task === 'SEND') await desk.send(payment);
      else if (task === 'QUERY') await desk.ask(payment);
      else await assignPaid({ db, log }, { id, wallet: payment.wallet, receipt: payment.receipt ?? '' });
    } catch (error) {
      log.warn({ err: error, payment: id, task }, 'a payment is looked at again when its lease is over');
    }
  }

  async function performPayments(signal: AbortSignal): Promise<void> {
    let tasks: PaymentTask[];
    do {
      tasks = await claimPayments(db, { limit: BATCH, leaseMs });
      await Promise.all(tasks.map(perform));
    } while (tasks.length === BATCH && !signal.aborted);
  }

  async function performInquiries(): Promise<void> {
    if (daraja.settings.initiator === null) return;
    const inquiries = await claimInquiries(db, { limit: BATCH, leaseMs: INQUIRY_MS, most: mostInquiries });
    await Promise.all(inquiries.map((inquiry) => desk.inquire(inquiry)));
  }

  async function round(signal: AbortSignal): Promise<void> {
    try {
      await performPayments(signal);
      if (!signal.aborted) await performInquiries();
    } catch (error) {
      log.warn({ err: error }, 'payments that are due could not be looked for; the next round tries again');
    }
  }
  return startRepeating(round, { pauseMs });
}

/** The answer to a question about a receipt comes by another way, after up to two minutes (seen in the sandbox). */
const INQUIRY_MS = 300_000;
