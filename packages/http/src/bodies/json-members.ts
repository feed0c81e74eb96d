/** A member of an object in a JSON text. */
export interface JsonMember {
  /** Its key, with its escapes resolved. */
  readonly key: string;
  /** In how many objects and arrays it is: 1 in the outermost. */
  readonly depth: number;
  /** Its value as JSON text. */
  readonly value: string;
  /** Whether the same object has had a member with this key before. */
  readonly isRepeat: boolean;
}

/** A string, one that is a key, or the beginning or end of an object or array; what lies between says nothing. */
const TOKEN = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}[\],]/g;

/** What is open at a place of the text: an object or an array, and the member of an object whose value has begun. */
interface Open {
  readonly keys: Set<string>;
  member: { readonly key: string; readonly start: number; readonly isRepeat: boolean } | null;
}

/**
 * All members of all objects in a JSON text, repeats included, where `JSON.parse` silently keeps the last; each when
 * its value ends. The text must be valid JSON.
 */
export function* jsonMembers(text: string): Generator<JsonMember> {
  const open: Open[] = [];
  for (const match of text.matchAll(TOKEN)) {
    const [sign, string, colon] = match;
    const top = open.at(-1);
    if (colon !== undefined && string !== undefined && top !== undefined) {
      const key = string.includes('\\') ? String(JSON.parse(string)) : string.slice(1, -1);
      top.member = { key, start: match.index + sign.length, isRepeat: top.keys.has(key) };
      top.keys.add(key);
    }
    if (sign === '{' || sign === '[') open.push({ keys: new Set(), member: null });
    if (sign !== ',' && sign !== '}' && sign !== ']') continue;
    if (top !== undefined && top.member !== null) {
      const { key, start, isRepeat } = top.member;
      yield { key, depth: open.length, value: text.slice(start, match.index).trim(), isRepeat };
      top.member = null;
    }
    if (sign !== ',') open.pop();
  }
}
