import { z } from 'zod';
import { money, time, verificationHash } from './fields.ts';

const maskedParty = z.object({
  kind: z.enum(['customer', 'system']),
  number: z.string().nullable().describe('the last four digits behind stars; null for a system wallet'),
  name: z.string().nullable().describe('masked like `J*** M*****`, or what the system wallet is for'),
});

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
});
