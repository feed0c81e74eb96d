import { isUtf8 } from 'node:buffer';
import { readable, unreadable } from './reasons.ts';
import type { Read } from './reasons.ts';

/** A body that is a JSON object. */
export interface JsonBody {
  /** The text without a byte order mark. */
  readonly text: string;
  readonly object: Readonly<Record<string, unknown>>;
  /** Whether the bytes began with a byte order mark, which JSON does not allow but some senders write. */
  readonly hadByteOrderMark: boolean;
}

const BYTE_ORDER_MARK = '\uFEFF';

/**
 * A payment message is flat. Deep nesting is an attempt to exhaust the stack of the code that walks through it, here or
 * in the database.
 */
const MAX_DEPTH = 32;

/** Reads a body as a JSON object. Only its bytes count; the content type that came with them does not. */
export function readJsonBody(body: Buffer): Read<JsonBody> {
  if (body.length === 0) return unreadable('body_empty');
  if (!isUtf8(body)) return unreadable('body_not_utf8');
  const decoded = body.toString('utf8');
  const hadByteOrderMark = decoded.startsWith(BYTE_ORDER_MARK);
  const text = hadByteOrderMark ? decoded.slice(1) : decoded;
  if (text.trim() === '') return unreadable('body_empty');
  if (isDeeperThan(MAX_DEPTH, text)) return unreadable('body_too_deep');
  const value = tryParse(text);
  if (value === undefined) return unreadable('body_not_json');
  if (!isObject(value)) return unreadable('body_not_object');
  return readable({ text, object: value, hadByteOrderMark });
}

/** How the receipt stands in a C2B message, in the callback of a request to a phone, and in a status result, also in a string. */
const RECEIPT_PATTERN =
  /"(?:TransID\\?"\s*:|Name\\?"\s*:\s*\\?"MpesaReceiptNumber\\?"\s*,\s*\\?"Value\\?"\s*:|Key\\?"\s*:\s*\\?"ReceiptNo\\?"\s*,\s*\\?"Value\\?"\s*:)\s*\\?"([^"\\]{1,64})\\?"/gi;

/** Looks for the receipt in a text that is not JSON, or where no receipt stands: the payment can be looked up by it. */
export function findReceiptText(body: Buffer): string | null {
  const found = [...body.toString('latin1').matchAll(RECEIPT_PATTERN)].map((match) => match[1]);
  const [first = null] = found;
  return found.every((text) => text === first) ? first : null;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The key of an object that has this name: exactly, or in other cases as some that stand between M-PESA and us write it.
 * Undefined where there is none, or several that only differ in their case.
 */
export function keyOf(object: Readonly<Record<string, unknown>>, name: string): string | undefined {
  // A key of the prototype is no field of the message.
  if (Object.hasOwn(object, name)) return name;
  const wanted = name.toLowerCase();
  let found: string | undefined;
  for (const key in object) {
    if (key.length !== wanted.length || key.toLowerCase() !== wanted) continue;
    if (found !== undefined) return undefined;
    found = key;
  }
  return found;
}

/** The value of a field, as `keyOf` finds it. */
export function memberOf(value: unknown, name: string): unknown {
  if (!isObject(value)) return undefined;
  const key = keyOf(value, name);
  return key === undefined ? undefined : value[key];
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

/** Counts brackets outside strings. Texts with few brackets at all, the rule, are not walked through. */
function isDeeperThan(limit: number, text: string): boolean {
  if ((text.match(/[[{]/g)?.length ?? 0) <= limit) return false;
  let depth = 0;
  let insideString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (insideString) {
      if (character === '\\') at += 1;
      else if (character === '"') insideString = false;
    } else if (character === '"') insideString = true;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth > limit) return true;
  }
  return false;
}
