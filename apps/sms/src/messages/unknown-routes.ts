import { decideSms } from '@repo/db';
import type { SmsDecisionRequest } from '@repo/db';
import { actorOf, problemResponse } from '@repo/http';
import type { HttpServer } from '@repo/http';
import { z } from 'zod';
import type { RouteContext } from '../dependencies.ts';
import { messageBody, messageSchema } from './view.ts';
import { KEY_PROBLEMS, secured } from '../responses.ts';

const DECISION_SCHEMA = {
  operationId: 'decideMessage',
  ...secured('messages', 'Records what a person has found out about a message of unknown outcome.'),
  params: z.object({ id: z.string() }),
  body: z.strictObject({
    decision: z
      .enum(['sent', 'send_again', 'failed'])
      .describe('send_again: it goes back into the queue, and may reach the customer twice'),
    note: z
      .string()
      .min(1)
      .max(1_000)
      .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be well-formed text without NUL')
      .describe('on what evidence; kept'),
    providerMessageId: z
      .string()
      .min(1)
      .max(255)
      .optional()
      .describe("with sent: from a suggestion or the provider's books; reports with it are joined"),
    cost: z
      .strictObject({
        amount: z.string().regex(/^\d{1,6}(\.\d{1,4})?$/, 'must be a sum such as "0.8000"'),
        currency: z.string().regex(/^[A-Z]{3}$/, 'must be a code of three letters such as KES'),
        parts: z.int().min(0).max(1_000).optional(),
      })
      .optional()
      .describe("with sent: what it was charged by the provider's books"),
  }),
  response: {
    200: messageSchema,
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_sms`: no message has this id.'),
    409: problemResponse('`nothing_to_decide`: its outcome is known by now.'),
    422: problemResponse('A field is missing, unknown or wrong.'),
  },
};

/** Adds the way to decide about a message of unknown outcome. */
export function addUnknownRoutes(app: HttpServer, { db, requireKey }: RouteContext): void {
  const decide = { onRequest: requireKey('admin'), schema: DECISION_SCHEMA };
  app.post('/messages/:id/decision', decide, async (request) => {
    const { decision, note, providerMessageId, cost } = request.body;
    const sms = await decideSms(db, {
      id: request.params.id,
      decision,
      note,
      decidedBy: actorOf(request),
      ...(providerMessageId === undefined ? {} : { providerMessageId }),
      ...(cost === undefined ? {} : { cost: costOf(cost) }),
    });
    request.log.info({ message: sms.id, decision }, 'a person has decided about a message');
    return messageBody(sms, { showsNumber: true });
  });
}

function costOf({
  amount,
  currency,
  parts,
}: {
  readonly amount: string;
  readonly currency: string;
  readonly parts?: number | undefined;
}): NonNullable<SmsDecisionRequest['cost']> {
  return { amount, currency, ...(parts === undefined ? {} : { parts }) };
}
