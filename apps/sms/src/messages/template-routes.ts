import { listSmsTemplates, previewSmsTemplate, setSmsTemplate } from '@repo/db';
import type { SmsTemplate } from '@repo/db';
import { actorOf, problemResponse } from '@repo/http';
import type { HttpServer } from '@repo/http';
import { z } from 'zod';
import type { RouteContext } from '../dependencies.ts';
import { KEY_PROBLEMS, secured } from '../responses.ts';
import { sizeOf } from '../text/parts.ts';

const params = z.object({
  key: z.string().describe('which message it is, such as `deposit` or `transfer_in`'),
  language: z.string().describe('`en` or `sw`'),
});

const text = z
  .string()
  .min(1)
  .max(500)
  .refine((each) => each.isWellFormed() && !each.includes('\0'), 'must be well-formed text without NUL')
  .describe(
    'with placeholders such as {amount}; a part in [square brackets] is left out where its {name} or {balance} is missing',
  )
  .meta({ examples: ['{reference} confirmed. {amount} sent to {name}.[ New balance {balance}.]'] });

const previewBody = z
  .object({
    text: z.string().describe('filled in with the longest facts that are usual'),
    parts: z.int().describe('how many messages it takes, which is what it costs'),
    units: z.int().describe('its length; 160 fit into one message'),
    encoding: z.enum(['GSM-7', 'UCS-2']),
  })
  .meta({ id: 'TemplatePreview' });

const templateBody = z
  .object({
    key: z.string(),
    language: z.enum(['en', 'sw']),
    text: z.string(),
    needed: z.array(z.string()).describe('the placeholders that the text must have'),
    allowed: z.array(z.string()).describe('all that it may have'),
    preview: previewBody,
    changedAt: z.iso.datetime(),
  })
  .meta({ id: 'Template' });

const invalid = problemResponse(
  '`invalid_template`: the text lacks a placeholder, has an unknown one, is too long or leaves the GSM alphabet.',
);
const unknown = problemResponse('`unknown_template`: no message has this key, or not in this language.');

const LIST_SCHEMA = {
  ...secured('templates', 'The texts of all messages to customers about their money.'),
  operationId: 'listTemplates',
  response: {
    200: z.object({ items: z.array(templateBody), nextCursor: z.null() }).meta({ id: 'TemplateList' }),
    ...KEY_PROBLEMS,
  },
};

const CHANGE_SCHEMA = {
  ...secured('templates', 'Changes the text of a message, from the next message on.'),
  operationId: 'changeTemplate',
  params,
  body: z.strictObject({
    text,
    reason: z.string().trim().min(1).max(500).describe('why; kept with who changed it'),
  }),
  response: { 200: templateBody, ...KEY_PROBLEMS, 404: unknown, 422: invalid },
};

const PREVIEW_SCHEMA = {
  ...secured('templates', 'Shows a text filled in, and how many messages it would take. Nothing is changed.'),
  operationId: 'previewTemplate',
  params,
  body: z.strictObject({ text }),
  response: { 200: previewBody, ...KEY_PROBLEMS, 404: unknown, 422: invalid },
};

/** Adds the routes that show, try out and change the texts of messages. */
export function addTemplateRoutes(app: HttpServer, { db, requireKey }: RouteContext): void {
  app.get('/templates', { onRequest: requireKey('read'), schema: LIST_SCHEMA }, async () => {
    return { items: (await listSmsTemplates(db)).map(bodyOf), nextCursor: null };
  });

  const preview = { onRequest: requireKey('read'), schema: PREVIEW_SCHEMA };
  app.post('/templates/:key/:language/preview', preview, async (request) => {
    const { key, language } = request.params;
    const sample = await previewSmsTemplate(db, { key, language, text: request.body.text });
    return previewOf(sample);
  });

  const change = { onRequest: requireKey('admin'), schema: CHANGE_SCHEMA };
  app.put('/templates/:key/:language', change, async (request) => {
    const { key, language } = request.params;
    const changed = await setSmsTemplate(db, {
      key,
      language,
      ...request.body,
      changedBy: actorOf(request),
    });
    request.log.info(
      { template: changed.key, language: changed.language },
      'the text of a message was changed',
    );
    return bodyOf(changed);
  });
}

function bodyOf({ sample, changedAt, needed, allowed, ...template }: SmsTemplate) {
  return {
    ...template,
    needed: [...needed],
    allowed: [...allowed],
    preview: previewOf(sample),
    changedAt: changedAt.toISOString(),
  };
}

function previewOf(sample: string): z.output<typeof previewBody> {
  return { text: sample, ...sizeOf(sample) };
}
