import type { DecisionView } from '@repo/db';
import { lowerCase } from '@repo/http';
import { z } from 'zod';

/** What a person decided about a payment or a message, as it is answered. */
export const decisionSchema = z
  .object({
    decision: z
      .enum(['kept', 'corrected', 'replayed', 'released', 'rejected', 'refund', 'no_refund'])
      .describe(
        'refund and no_refund mark a payment in suspense that goes back to its payer, or not; no money moves',
      ),
    decidedBy: z.string().describe('the name of the key that decided'),
    reason: z.string().nullable().describe('null for keys without the scope `admin`'),
    reference: z.string().nullable().describe('of the correction that was posted'),
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
