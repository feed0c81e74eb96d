import { assignSuspense, finishAssignment, isDaftariError } from '@repo/db';
import type { Handle } from '@repo/db';
import type { FastifyBaseLogger } from 'fastify';

/** A payment whose money waits in suspense: a confirmation came first, and its account led to no wallet. */
export interface PaidInSuspense {
  readonly id: string;
  readonly wallet: string;
  readonly receipt: string;
}

/**
 * Moves the money of a payment from suspense to the wallet that it was asked for, once. What a person decided about it
 * stands, and flags the payment. It never rejects: the payment stays due, and the runner comes back to it.
 */
export async function assignPaid(
  { db, log }: { readonly db: Handle; readonly log: Pick<FastifyBaseLogger, 'warn'> },
  { id, wallet, receipt }: PaidInSuspense,
): Promise<void> {
  try {
    let reason: string | null = null;
    try {
      // Without a key: a repeat finds it in that wallet. The name of a key would be one that callers could have used.
      await assignSuspense(db, { receipt, wallet });
    } catch (error) {
      if (!isDaftariError(error) || error.kind !== 'refused') throw error;
      reason = error.code;
    }
    await finishAssignment(db, id, reason);
  } catch (error) {
    log.warn({ err: error, receipt }, 'a paid payment waits in suspense; it is assigned later');
  }
}
