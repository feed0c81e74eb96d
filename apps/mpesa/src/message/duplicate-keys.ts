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
  for (const { key, value } of topLevelMembers(text)) {
    if (!wanted.has(key)) continue;
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

interface Member {
  /** The key with its escapes resolved. */
  readonly key: string;
  /** The value as JSON text. */
  readonly value: string;
}

/** The members of a valid JSON object in their order, repeats included. */
function* topLevelMembers(text: string): Generator<Member> {
  let at = text.indexOf('{') + 1;
  for (;;) {
    const keyStart = text.indexOf('"', at);
    // After the last member there is no quote any more, for nothing follows the object.
    if (keyStart === -1) return;
    const keyEnd = endOfString(text, keyStart);
    const valueStart = text.indexOf(':', keyEnd) + 1;
    const valueEnd = endOfValue(text, valueStart);
    yield { key: String(JSON.parse(text.slice(keyStart, keyEnd))), value: text.slice(valueStart, valueEnd) };
    at = valueEnd + 1;
  }
}

/** The index after the closing quote of the string that starts at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** The index of the comma or brace that ends the value which starts at `start`. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  let at = start;
  for (;;) {
    const character = text[at];
    if (character === '"') {
      at = endOfString(text, at);
      continue;
    }
    if (depth === 0 && (character === ',' || character === '}')) return at;
    if (character === '{' || character === '[') depth += 1;
    if (character === '}' || character === ']') depth -= 1;
    at += 1;
  }
}
