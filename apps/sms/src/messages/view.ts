import type { Sms, SmsEvent } from '@repo/db';
import { lowerCase } from '@repo/http';
import { z } from 'zod';

const time = z.iso.datetime().describe('ISO 8601, UTC');

/** A message in an answer. Costs are decimal strings with four decimals. */
export const messageSchema = z
  .object({
    id: z.string(),
    recipient: z
      .string()
      .nullable()
      .describe('digits; masked unless the key has the scope admin; null where no number is known'),
    status: z.enum(['pending', 'sent', 'failed']),
    phase: z
      .enum(['queued', 'sending', 'unknown', 'done'])
      .describe('unknown: it may or may not have been sent, and waits for a report or a decision'),
    cost: z.string().nullable(),
    currency: z.string().nullable(),
    parts: z.int().nullable().describe('as charged'),
    expectedParts: z.int().nullable().describe('as counted before sending'),
    encoding: z.string().nullable(),
    provider: z.string().nullable(),
    providerMessageId: z.string().nullable(),
    network: z.string().nullable(),
    errorCode: z.string().nullable(),
    errorMessage: z.string().nullable(),
    deliveryState: z
      .enum([
        'unknown',
        'accepted',
        'submitted',
        'buffered',
        'absent',
        'rejected',
        'failed',
        'expired',
        'delivered',
      ])
      .nullable()
      .describe(
        'what the report that counts means, the same words for every provider; the last four are final',
      ),
    deliveryStatus: z.string().nullable().describe("the provider's word in that report"),
    deliveryReason: z.string().nullable().describe("the provider's word for why"),
    deliveredAt: time.nullable(),
    template: z.string(),
    language: z.enum(['en', 'sw']),
    priority: z.enum(['important', 'unimportant']),
    transactionReference: z.string().nullable(),
    attempts: z.int(),
    nextAttemptAt: time.nullable().describe('while it is queued'),
    decidedBy: z.string().nullable(),
    createdAt: time,
    sentAt: time.nullable(),
  })
  .meta({ id: 'Message' });

export const eventSchema = z
  .object({
    kind: z.enum(['retry', 'unknown', 'decided', 'late_answer']),
    attempt: z.int(),
    actor: z.string().nullable(),
    detail: z.string().nullable(),
    at: time,
  })
  .meta({ id: 'MessageEvent' });

export interface MessageView {
  /** Whether the reader may see whose number it is. */
  readonly showsNumber: boolean;
}

/** A message as it is answered. */
export function messageBody(sms: Sms, { showsNumber }: MessageView): z.input<typeof messageSchema> {
  const { id, status, phase, cost, currency, parts, expectedParts, encoding, provider, network } = sms;
  const { providerMessageId, errorCode, errorMessage, template } = sms;
  const { deliveryState, deliveryStatus, deliveryReason } = sms;
  return {
    id,
    status: lowerCase(status),
    phase: lowerCase(phase),
    cost,
    currency,
    parts,
    expectedParts,
    encoding,
    provider,
    network,
    providerMessageId,
    errorCode,
    errorMessage,
    deliveryState,
    deliveryStatus,
    deliveryReason,
    template,
    recipient: showsNumber || sms.recipient === null ? sms.recipient : maskNumber(sms.recipient),
    language: sms.language,
    priority: sms.priority === 0 ? 'important' : 'unimportant',
    transactionReference: sms.transactionReference,
    attempts: sms.attempts,
    nextAttemptAt: phase === 'QUEUED' ? sms.nextAttemptAt.toISOString() : null,
    decidedBy: sms.decidedBy,
    deliveredAt: sms.deliveredAt?.toISOString() ?? null,
    createdAt: sms.createdAt.toISOString(),
    sentAt: sms.sentAt?.toISOString() ?? null,
  };
}

export function eventBody({ kind, attempt, actor, detail, at }: SmsEvent): z.input<typeof eventSchema> {
  return { kind: lowerCase(kind), attempt, actor, detail, at: at.toISOString() };
}

/** Enough of a number to tell a customer's message from another's on the telephone: `2547*****126`. */
function maskNumber(number: string): string {
  if (number.length < 9) return '*'.repeat(number.length);
  return `${number.slice(0, 4)}${'*'.repeat(number.length - 7)}${number.slice(-3)}`;
}
