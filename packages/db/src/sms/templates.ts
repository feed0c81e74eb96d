import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { requireText } from '../request.ts';
import type { SmsLanguage } from './messages.ts';
import { query } from '../connection/handle.ts';

/** The text of a message to customers. */
export interface SmsTemplate {
  /** Which message it is: `deposit`, `transfer_in` and so on. */
  readonly key: string;
  readonly language: SmsLanguage;
  /** With placeholders such as `{amount}`; what is in [brackets] is left out where its fact is missing. */
  readonly text: string;
  /** The placeholders that the text must have, and all that it may have. */
  readonly needed: readonly string[];
  readonly allowed: readonly string[];
  /** Filled in with the longest facts that are usual. */
  readonly sample: string;
  readonly changedAt: Date;
}

export interface SmsTemplateChange {
  readonly key: string;
  /** `en` or `sw`; another is an `unknown_template`. */
  readonly language: string;
  readonly text: string;
  /** Who changes it, and why; both are kept. */
  readonly changedBy: string;
  readonly reason: string;
}

/** Longer than any text that fits into one message. */
const LONGEST = 500;

/** All texts, by key and language. */
export async function listSmsTemplates(db: Handle): Promise<SmsTemplate[]> {
  return (await query<TemplateRow>(db, LIST, [])).map(templateOf);
}

/** The text of one message, or null. */
export async function findSmsTemplate(
  db: Handle,
  { key, language }: Pick<SmsTemplateChange, 'key' | 'language'>,
): Promise<SmsTemplate | null> {
  const templates = await listSmsTemplates(db);
  return templates.find((each) => each.key === key && each.language === language) ?? null;
}

/**
 * A text filled in with the longest facts that are usual.
 *
 * @throws DaftariError `unknown_template`, or `invalid_template`, which says what is wrong with the text
 */
export async function previewSmsTemplate(
  db: Handle,
  template: Pick<SmsTemplateChange, 'key' | 'language' | 'text'>,
): Promise<string> {
  const { key, language, text } = template;
  requireText('text', text, LONGEST);
  requireName(key, language);
  const [row] = await query<FaultRow & { readonly sample: string | null }>(db, PREVIEW, [
    key,
    language,
    text,
  ]);
  return sampleOf(row);
}

/**
 * Changes a text from the next message on, and keeps who wanted it and why.
 *
 * @throws DaftariError as `previewSmsTemplate`
 */
export async function setSmsTemplate(db: Handle, change: SmsTemplateChange): Promise<SmsTemplate> {
  const { key, language, text, changedBy, reason } = change;
  requireText('text', text, LONGEST);
  requireName(key, language);
  requireText('changedBy', changedBy.trim(), 100);
  requireText('reason', reason.trim(), 500);
  const [row] = await query<FaultRow>(db, SET, [key, language, text, changedBy, reason]);
  refuse(row);
  const template = await findSmsTemplate(db, { key, language });
  if (template === null) throw new DaftariError('database_error');
  return template;
}

/** What no template can be called is no template. */
function requireName(...names: readonly string[]): void {
  if (!names.every((name) => /^[a-z_]{1,40}$/.test(name))) throw new DaftariError('unknown_template');
}

function sampleOf(row: (FaultRow & { readonly sample: string | null }) | undefined): string {
  refuse(row);
  if (row?.sample === null || row === undefined) throw new DaftariError('database_error');
  return row.sample;
}

function refuse(row: FaultRow | undefined): void {
  if (row === undefined || row.fault === null) return;
  if (row.fault === 'unknown_template') throw new DaftariError('unknown_template');
  const advice = `The text is not changed: ${row.fault}: ${row.detail ?? ''}.`;
  throw new DaftariError('invalid_template', { advice });
}

interface FaultRow {
  readonly fault: string | null;
  readonly detail: string | null;
}

interface TemplateRow {
  readonly key: string;
  readonly language: SmsLanguage;
  readonly text: string;
  readonly needed: string;
  readonly allowed: string;
  readonly sample: string;
  readonly changed_at_ms: string;
}

function templateOf({
  key,
  language,
  text,
  needed,
  allowed,
  sample,
  changed_at_ms,
}: TemplateRow): SmsTemplate {
  return {
    key,
    language,
    text,
    needed: needed.split(','),
    allowed: allowed.split(','),
    sample,
    changedAt: new Date(Number(changed_at_ms)),
  };
}

const LIST: Statement = {
  name: 'sms_templates_list',
  text: `
SELECT t.key, t.language::text AS language, t.text, array_to_string(p.needed, ',') AS needed,
       array_to_string(p.allowed, ',') AS allowed, services.sample_sms(t.key, t.language, t.text) AS sample,
       (extract(epoch FROM t.changed_at) * 1000)::bigint::text AS changed_at_ms
  FROM services.sms_templates t
 CROSS JOIN LATERAL services.sms_placeholders(t.key) p
 ORDER BY t.key, t.language`,
};

const PREVIEW: Statement = {
  name: 'sms_template_preview',
  text: `
SELECT f.fault, f.detail,
       CASE WHEN f.fault IS NULL THEN services.sample_sms($1::text, $2::text, $3::text) END AS sample
  FROM services.sms_template_fault($1::text, $2::text, $3::text) f`,
};

const SET: Statement = {
  name: 'sms_template_set',
  text: `SELECT fault, detail FROM services.set_sms_template($1::text, $2::text, $3::text, $4::text, $5::text)`,
};
