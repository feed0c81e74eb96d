import { jsonMembers } from '@repo/http';
import { parseKeepingNumbers } from './json-numbers.ts';

/**
 * Whether one of the keys occurs more than once at the top level of a JSON object with different values.
 * `JSON.parse` silently takes the last one; where the amount is given twice there is no telling which is true.
 * `text` must be a valid JSON object. Repeats with equal values say nothing new and are fine.
 */
export function hasConflictingKey(text: string, keys: readonly string[]): boolean {
  if (!mayRepeat(text, keys)) return false;
  const wanted = new Set(keys);
  const seen = new Map<string, string>();
  for (const { key, value, depth } of jsonMembers(text)) {
    if (depth > 1 || !wanted.has(key)) continue;
    const canonical = JSON.stringify(parseKeepingNumbers(value));
    const before = seen.get(key) ?? canonical;
    if (before !== canonical) return true;
    seen.set(key, canonical);
  }
  return false;
}

/** Cheap, and sure when it says no: every message passes here, almost none has to be scanned. */
function mayRepeat(text: string, keys: readonly string[]): boolean {
  // A key may be written with escapes, as in "Trans\u0041mount".
  if (text.includes('\\u')) return true;
  return keys.some((key) => {
    const first = text.indexOf(`"${key}"`);
    return first !== -1 && text.includes(`"${key}"`, first + 1);
  });
}
