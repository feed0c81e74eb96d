import { z } from 'zod';
import { money, time, verificationHash } from '../fields.ts';

const maskedParty = z
  .object({
    kind: z.enum(['customer', 'system']),
    number: z.string().nullable().describe('the last four digits behind stars; null for a system wallet'),
    name: z.string().nullable().describe('masked like `J*** M*****`, or what the system wallet is for'),
  })
  .meta({ id: 'MaskedParty' });

/** What a receipt shows of a transaction. */
export const maskedFacts = z.object({
  reference: z.string(),
  type: z.string(),
  amount: money,
  currency: z.literal('KES'),
  createdAt: time,
  verificationHash,
  from: maskedParty,
  to: maskedParty,
  paidAt: time.nullable().describe('when the payer paid, by M-PESA; null for what did not come from there'),
  fee: z
    .object({ amount: money, paidBy: z.enum(['from', 'to']) })
    .nullable()
    .describe('what was charged with it, and which side paid that'),
  narrative: z.string().nullable().describe('what it was for, as its caller worded it'),
  issuer: z
    .object({ name: z.string(), contact: z.string().nullable() })
    .nullable()
    .describe('whose receipt it is'),
});

/** A language that a reader asks for. */
export const lang = z.enum(['en', 'sw']).describe('`en` or `sw`');
