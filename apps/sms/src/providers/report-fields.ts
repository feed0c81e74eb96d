import { isUtf8 } from 'node:buffer';
import { jsonMembers } from '@repo/http';
import { REASON_TEXTS } from './report-reasons.ts';
import type { UnreadableReason } from './report-reasons.ts';

/** What came of reading something, or why nothing did. */
export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: UnreadableReason; readonly explanation: string };

/** The fields of a callback by the lower-case name: the values it had, in their order. */
export type FieldValues = ReadonlyMap<string, readonly string[]>;

export function unreadable(reason: UnreadableReason): {
  readonly ok: false;
  readonly reason: UnreadableReason;
  readonly explanation: string;
} {
  return { ok: false, reason, explanation: REASON_TEXTS[reason] };
}

/** A report has 200 bytes. Fields beyond this number are somebody's attempt to keep us busy. */
const MAX_FIELDS = 100;
const MAX_BYTES = 64 * 1_024;

/**
 * Reads the body of a callback as flat fields: JSON if it begins like JSON, else a form. Only the bytes count; the
 * content type that came with them does not, for relays change it.
 */
export function readFields(bytes: Buffer): Read<FieldValues> {
  if (bytes.length > MAX_BYTES) return unreadable('body_too_large');
  if (!isUtf8(bytes)) return unreadable('body_not_utf8');
  const text = bytes
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trim();
  if (text === '') return unreadable('body_empty');
  return /^[{[]/.test(text) ? readJson(text) : readForm(text);
}

/**
 * The one value of a field: null when it is absent or empty. A repeat with the same value says nothing new; two
 * different values are a conflict, and there is no telling which is true.
 */
export function singleField(fields: FieldValues, name: string): Read<string | null> {
  const values = new Set((fields.get(name.toLowerCase()) ?? []).filter((value) => value !== ''));
  if (values.size > 1) return unreadable('field_conflict');
  const [value = null] = values;
  return { ok: true, value };
}

function readForm(text: string): Read<FieldValues> {
  const pairs = [...new URLSearchParams(text)];
  if (pairs.length > MAX_FIELDS) return unreadable('too_many_fields');
  // Any text at all is a form with one field that has no value.
  if (!text.includes('=')) return unreadable('body_not_fields');
  return { ok: true, value: collect(pairs) };
}

function readJson(text: string): Read<FieldValues> {
  const parsed = tryParse(text);
  if (parsed === undefined) return unreadable('body_not_json');
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return unreadable('body_not_fields');
  }
  const members = [...jsonMembers(text)].filter(({ depth }) => depth === 1);
  if (members.length > MAX_FIELDS) return unreadable('too_many_fields');
  return { ok: true, value: collect(members.map(({ key, value }) => [key, scalarText(JSON.parse(value))])) };
}

function collect(pairs: readonly (readonly [string, string])[]): FieldValues {
  const fields = new Map<string, string[]>();
  for (const [name, value] of pairs) {
    const key = name.trim().toLowerCase();
    const before = fields.get(key);
    if (before === undefined) fields.set(key, [value.trim()]);
    else before.push(value.trim());
  }
  return fields;
}

/** Numbers and booleans are written as text in forms; null and whatever is nested are as good as absent. */
function scalarText(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // `undefined` is no JSON value, so it can stand for "not JSON"; any other failure is ours.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
