/** A number that is written as the text it holds; made by `JSON.rawJSON`. */
interface RawNumber {
  readonly rawJSON: string;
}

declare global {
  // "JSON.parse source text access" (ECMAScript 2026) is in Node 22 and later; TypeScript has no types for it yet.
  interface JSON {
    rawJSON(text: string): RawNumber;
    isRawJSON(value: unknown): value is RawNumber;
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown;
  }
}

/**
 * Parses JSON and keeps each number as its source text (`RawNumber`), since a double loses `10.00`'s zeros,
 * a 17-digit amount's cents and everything beyond 1.8e308. `JSON.stringify` writes such numbers as they came.
 */
export function parseKeepingNumbers(text: string): unknown {
  return JSON.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined ? JSON.rawJSON(source) : value,
  );
}

/** The text of a string or of a kept number; undefined for anything else. */
export function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return JSON.isRawJSON(value) ? value.rawJSON : undefined;
}
