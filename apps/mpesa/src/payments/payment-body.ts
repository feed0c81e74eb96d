import type { Payment, PaymentStatus } from '@repo/db';
import { lowerCase } from '@repo/http';
import { z } from 'zod';
import { customerMessageOf } from '../daraja/result-codes.ts';
import { maskPhone } from '../personal-data.ts';

export const STATUSES = [
  'requested',
  'pending',
  'paid',
  'failed',
  'unknown',
] as const satisfies readonly Lowercase<PaymentStatus>[];

export const PAYMENT_FIELDS = {
  id: z.string(),
  status: z
    .enum(STATUSES)
    .describe(
      'requested: not accepted yet; pending: the prompt was sent; paid: a receipt came; failed: refused, cancelled or not answered, though a late receipt makes it paid; unknown: nobody knows, and it is not sent again',
    ),
  wallet: z.string(),
  amount: z.string().describe('KES, two decimals'),
  phone: z.string().describe('masked'),
  reference: z.string(),
  description: z.string(),
  checkoutRequestId: z
    .string()
    .optional()
    .describe(
      "M-PESA's name for the request, for support; it holds the phone number and is no key for money",
    ),
  receipt: z.string().optional().describe('the first receipt that settled it'),
  reason: z.string().optional().describe('why it failed or is unknown'),
  resultCode: z.string().optional().describe("M-PESA's own code"),
  customerMessage: z.string().optional().describe('what the payer can be told'),
  flagged: z
    .boolean()
    .describe('whether something contradicts something else: see `events`; a person should look'),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
};

export const paymentSchema = z.object(PAYMENT_FIELDS).meta({ id: 'Payment' });

/** A payment as it is answered; `namesRequest`: with what M-PESA calls it, which holds the payer's number. */
export function paymentBody(payment: Payment, namesRequest: boolean) {
  const { id, status, wallet, amount, phone, reference, description, isFlagged } = payment;
  const { checkoutRequestId, receipt, reason, resultCode, createdAt, updatedAt } = payment;
  const message = status === 'FAILED' ? customerMessageOf(reason) : null;
  return {
    id,
    status: lowerCase(status),
    wallet,
    amount,
    phone: maskPhone(phone),
    reference,
    description,
    ...(checkoutRequestId === null || !namesRequest ? {} : { checkoutRequestId }),
    ...(receipt === null ? {} : { receipt }),
    ...(reason === null ? {} : { reason }),
    ...(resultCode === null ? {} : { resultCode }),
    ...(message === null ? {} : { customerMessage: message }),
    flagged: isFlagged,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
