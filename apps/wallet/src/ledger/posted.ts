import type { Posted } from '@repo/db';
import { lowerCase } from '@repo/http';
import { z } from 'zod';
import { currency, money, time, verificationHash, walletNumber } from '../fields.ts';

/** A movement of money as the answer to the request that caused it. */
export const postedSchema = z
  .object({
    reference: z.string().describe('what to quote: receipts and reversals are found by it'),
    type: z.string(),
    from: walletNumber,
    to: walletNumber,
    amount: money,
    currency,
    fee: money.describe('what was charged on top, `0.00` for nothing'),
    balanceAfter: money.describe('what was left in `from`'),
    createdAt: time,
    verificationHash,
  })
  .meta({ id: 'Movement' });

/** The same body for the first answer and for its repeats: only the status tells them apart. */
export function postedBody(posted: Posted) {
  const { reference, type, from, to, amount, fee, balanceAfter, createdAt } = posted;
  return {
    reference,
    type: lowerCase(type),
    from,
    to,
    amount,
    currency: posted.currency,
    fee,
    balanceAfter,
    createdAt: createdAt.toISOString(),
    verificationHash: posted.verificationHash,
  };
}

/** 201 when something was done now, 200 when the answer is to an earlier request with the same key. */
export function statusOf({ replayed }: { readonly replayed: boolean }): 200 | 201 {
  return replayed ? 200 : 201;
}
