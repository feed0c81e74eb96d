/**
 * A PostgreSQL array literal of text: `{"a","b",NULL}`. As plain text it travels alike through pg and through
 * Prisma, and it is several times cheaper to build than the drivers' own arrays.
 */
export function arrayLiteral(values: readonly (string | null)[]): string {
  let literal = '{';
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i];
    if (i > 0) literal += ',';
    literal += value === null || value === undefined ? 'NULL' : quoteElement(value);
  }
  return `${literal}}`;
}

function quoteElement(value: string): string {
  return /["\\]/.test(value) ? `"${value.replace(/["\\]/g, '\\$&')}"` : `"${value}"`;
}
