import fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase } from '@repo/postgres/testing';
import { parseKeepingNumbers } from './json-numbers.ts';
import { storablePayload } from './payload.ts';

const database = await createTestDatabase({ empty: true });
const client = new Client({ connectionString: database.url });

beforeAll(() => client.connect());
afterAll(async () => {
  await client.end();
  await database.drop();
});

/** What PostgreSQL makes of a text as `jsonb`, written out again; rejects when it refuses the text. */
async function throughJsonb(text: string): Promise<string> {
  const { rows } = await client.query<{ text: string }>('SELECT $1::jsonb::text AS text', [text]);
  return rows[0]?.text ?? '';
}

test.each([
  '{"a":"\\u0000"}',
  '{"\\u0000":1}',
  '{"a":"\\ud800"}',
  '{"a":"\\udc00x"}',
  '{"a":1e400000}',
  '{"a":1e-400000}',
])('%s, which jsonb refuses, gets a payload that it holds', async (text) => {
  await expect(throughJsonb(text)).rejects.toThrow();
  const payload = storablePayload(text) ?? '';
  await expect(throughJsonb(payload)).resolves.not.toBe('');
});

test('what is replaced stays recognisable', () => {
  expect(storablePayload('{"a\\u0000":"b\\ud800c","n":1e999,"m":10.00}')).toBe(
    '{"a\uFFFD":"b\uFFFDc","n":"1e999","m":10.00}',
  );
});

test.each(['{"a":"\\u0041\\u00e9"}', '{"a":12345678901234567.89,"b":1.00,"c":-0,"d":1e5}', '{"e":"9e123"}'])(
  '%s is kept as it is',
  async (text) => {
    expect(storablePayload(text)).toBeNull();
    await expect(throughJsonb(text)).resolves.not.toBe('');
  },
);

test('a number beyond double precision keeps its digits also when something else was replaced', async () => {
  const payload = storablePayload('{"TransAmount":12345678901234567.89,"FirstName":"A\\u0000"}');
  expect(await throughJsonb(payload ?? '')).toContain('12345678901234567.89');
});

test('a key named like the prototype stays a key', () => {
  expect(storablePayload('{"__proto__":{"a":1},"b":"\\u0000"}')).toBe('{"__proto__":{"a":1},"b":"\uFFFD"}');
});

test.each([
  ['a surrogate pair', '{"a":"\\ud83d\\ude00"}', '{"a":"😀"}'],
  ['a backslash before u0000', '{"a":"\\\\u0000"}', '{"a":"\\\\u0000"}'],
])('%s only looks suspect and keeps its meaning', async (_what, text, payload) => {
  expect(storablePayload(text)).toBe(payload);
  await expect(throughJsonb(payload)).resolves.not.toBe('');
});

test('a value that a repeated key hides is no reason for jsonb to refuse the rest', async () => {
  const text = '{"a":"\\u0000","a":"b"}';
  await expect(throughJsonb(text)).rejects.toThrow();
  expect(storablePayload(text)).toBe('{"a":"b"}');
});

test('a number with more decimals than PostgreSQL holds becomes text', async () => {
  const text = `{"a":0.${'1'.repeat(16_384)}}`;
  await expect(throughJsonb(text)).rejects.toThrow();
  expect(storablePayload(text)).toBe(`{"a":"0.${'1'.repeat(16_384)}"}`);
});

const nastyText = fc.string({
  unit: fc.constantFrom('\0', '\uD800', '\uDC00', '😀', '"', '\\', 'u0000', 'a', '\uFFFF', '\u2028'),
});
// Few keys, so that they repeat within an object.
const nastyKey = fc.oneof(fc.constantFrom('a', '', '\0'), nastyText);
const nastyNumber = fc.oneof(
  fc
    .tuple(fc.bigInt(), fc.nat(), fc.integer({ min: -500_000, max: 500_000 }))
    .map(([whole, fraction, exponent]) => {
      return `${String(whole)}.${String(fraction)}e${String(exponent)}`;
    }),
  fc.constantFrom('-0', '1E+308', '1e309', '1e-308', '0e99999', '1.00', '1e99999999999999999999'),
);

/** JSON texts, written by hand so that numbers and escapes reach the function as they are. */
const { value: nastyJson } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    nastyText.map((text) => JSON.stringify(text)),
    nastyNumber,
    fc.constantFrom('null', 'true', '[]', '{}'),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => `[${items.join(' , ')}]`),
    fc.array(fc.tuple(nastyKey, tie('value')), { maxLength: 4 }).map((members) => {
      return `{${members.map(([key, value]) => `${JSON.stringify(key)}: ${value}`).join(',')}}`;
    }),
  ),
}));

test('whatever JSON arrives, what is to be kept is accepted by jsonb', async () => {
  await fc.assert(
    fc.asyncProperty(nastyJson, async (text) => {
      await expect(throughJsonb(storablePayload(text) ?? text)).resolves.not.toBe('');
    }),
    { numRuns: 400 },
  );
});

test('a payload that was made needs no further replacement', () => {
  fc.assert(
    fc.property(nastyJson, (text) => {
      const payload = storablePayload(text);
      if (payload === null) return;
      expect(storablePayload(payload) ?? payload).toBe(payload);
      expect(JSON.stringify(parseKeepingNumbers(payload))).toBe(payload);
    }),
  );
});
