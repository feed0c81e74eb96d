import type { DecisionView } from '@repo/db';
import { lowerCase } from '@repo/http';
import { z } from 'zod';

/** What a person decided about a payment or a message, as it is answered. */
export const decisionSchema = z
  .object({
    decision: z
      .enum([
        'kept',
        'corrected',
        'replayed',
        'released',
        'rejected',
        'refund',
        'no_refund',
        'assigned',
        'moved',
        'reviewed',
      ])
      .describe(
        'refund and no_refund mark a payment in suspense that goes back to its payer, or not, and no money moves; moved: from the wallet that was credited to the one whose payment was asked for; reviewed: a flag of the payment that was asked for has been dealt with',
      ),
    decidedBy: z.string().describe('the name of the key that decided'),
    reason: z
      .string()
      .nullable()
      .describe('null where nobody gave one, and for keys without the scope `admin`'),
    reference: z.string().nullable().describe('of the correction or the assignment that was posted'),
    decidedAt: z.iso.datetime(),
  })
  .meta({ id: 'Decision' });

/** People write names and numbers into their reasons. */
export function decisionBody(view: DecisionView, seesAll: boolean): z.output<typeof decisionSchema> {
  const { decision, decidedBy, reason, reference, decidedAt } = view;
  return {
    decision: lowerCase(decision),
    decidedBy,
    reason: seesAll ? reason : null,
    reference,
    decidedAt: decidedAt.toISOString(),
  };
}
