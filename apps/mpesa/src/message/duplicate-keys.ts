import { jsonMembers } from '@repo/http';
import type { JsonBody } from './body.ts';
import { parseKeepingNumbers } from './json-numbers.ts';

/**
 * Whether one of the keys occurs more than once at the top level of a JSON object with different values.
 * `JSON.parse` silently takes the last one; where the amount is given twice there is no telling which is true.
 * Repeats with equal values say nothing new and are fine.
 */
export function hasConflictingKey(
  { text, object }: Pick<JsonBody, 'object' | 'text'>,
  keys: readonly string[],
): boolean {
  // Each member is written with a colon. Every message passes here, almost none has to be scanned.
  if (countColons(text) === Object.keys(object).length) return false;
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

function countColons(text: string): number {
  let count = 0;
  for (let at = text.indexOf(':'); at !== -1; at = text.indexOf(':', at + 1)) count += 1;
  return count;
}
