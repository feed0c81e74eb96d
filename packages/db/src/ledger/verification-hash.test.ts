import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { amounts, cents, instants, texts } from '../testing/arbitraries.ts';
import { openTestDb } from '../testing/database/test-db.ts';
import type { TestDb } from '../testing/database/test-db.ts';
import { verificationHash } from './verification-hash.ts';
import type { HashInput } from './verification-hash.ts';
import { formatCents } from '../money.ts';

const GOLDEN = {
  reference: 'QKJ41HARMI',
  amount: '1500.00',
  createdAt: new Date('2024-01-15T09:30:00.000Z'),
};
const GOLDEN_HASH = '28b799813a4f87ab97d37339ededccc9b5554c53cb562907aab0689e61f89f6a';

const inputs = fc.array(fc.record({ reference: texts, amount: amounts, createdAt: instants }), {
  minLength: 200,
  maxLength: 400,
});

let database: TestDb;
beforeAll(async () => {
  database = await openTestDb();
});
afterAll(() => database[Symbol.asyncDispose]());

async function hashesInSql(cases: readonly HashInput[]): Promise<unknown[]> {
  const rows = await database.sql(
    `SELECT core.verification_hash(r, a, t) AS hash
       FROM unnest($1::text[], $2::numeric[], $3::timestamp[]) WITH ORDINALITY AS u (r, a, t, ord) ORDER BY ord`,
    [
      cases.map((item) => item.reference),
      cases.map((item) => item.amount),
      cases.map((item) => item.createdAt.toISOString().slice(0, -1)),
    ],
  );
  return rows.map((row) => row['hash']);
}

test('the published example has the published hash', () => {
  expect(verificationHash(GOLDEN)).toBe(GOLDEN_HASH);
});

test('the database gives the published example the published hash', async () => {
  expect(await hashesInSql([GOLDEN])).toEqual([GOLDEN_HASH]);
});

test('TypeScript and SQL agree on any reference, amount and time', async () => {
  await fc.assert(
    fc.asyncProperty(inputs, async (cases) => {
      expect(await hashesInSql(cases)).toEqual(cases.map(verificationHash));
    }),
    { numRuns: 10 },
  );
});

test('they agree when the session lives in Nairobi and writes dates the German way', async () => {
  await database.sql(`SET TimeZone = 'Africa/Nairobi'`);
  await database.sql(`SET DateStyle = 'German, DMY'`);
  await fc.assert(
    fc.asyncProperty(inputs, async (cases) => {
      expect(await hashesInSql(cases)).toEqual(cases.map(verificationHash));
    }),
    { numRuns: 3 },
  );
  await database.sql('RESET ALL');
});

test('the time zone of the process does not count', () => {
  vi.stubEnv('TZ', 'Africa/Nairobi');
  const hour = GOLDEN.createdAt.getHours();
  const hash = verificationHash(GOLDEN);
  vi.unstubAllEnvs();
  expect([hour, hash]).toEqual([12, GOLDEN_HASH]);
});

test('10, 10.0, 10.00 and 0010.000 are one sum and one hash', () => {
  const hashes = ['10', '10.0', '10.00', '0010.000'].map((amount) => verificationHash({ ...GOLDEN, amount }));
  expect(new Set(hashes).size).toBe(1);
});

test('the ways to write one sum agree in SQL too', async () => {
  const cases = ['10', '10.0', '10.00', '0010.000'].map((amount) => ({ ...GOLDEN, amount }));
  expect(new Set(await hashesInSql(cases))).toEqual(new Set([verificationHash({ ...GOLDEN, amount: '10' })]));
});

test('it is SHA-256 over the three texts with nothing between', () => {
  fc.assert(
    fc.property(texts, cents, instants, (reference, value, createdAt) => {
      const amount = `${value / 100n}.${String(value % 100n).padStart(2, '0')}`;
      const text = reference + amount + createdAt.toISOString();
      const expected = createHash('sha256').update(Buffer.from(text, 'utf8')).digest('hex');
      expect(verificationHash({ reference, amount, createdAt })).toBe(expected);
    }),
  );
});

test('a cent, a millisecond or a letter more gives another hash', () => {
  const hashes = [
    GOLDEN,
    { ...GOLDEN, amount: '1500.01' },
    { ...GOLDEN, createdAt: new Date('2024-01-15T09:30:00.001Z') },
    { ...GOLDEN, reference: 'QKJ41HARMJ' },
  ].map(verificationHash);
  expect(new Set(hashes).size).toBe(4);
});

test('the whole range of the column has a hash', () => {
  const hash = verificationHash({ ...GOLDEN, amount: formatCents(9_999_999_999_999_999_999n) });
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
});

test.for([
  ['an invalid date', { ...GOLDEN, createdAt: new Date(Number.NaN) }],
  ['the year 10000', { ...GOLDEN, createdAt: new Date('+010000-01-01T00:00:00.000Z') }],
  ['the year 0', { ...GOLDEN, createdAt: new Date('0000-12-31T23:59:59.999Z') }],
  ['a reference with NUL', { ...GOLDEN, reference: 'QKJ\0' }],
  ['a reference with half a character', { ...GOLDEN, reference: 'QKJ\ud800' }],
] as const)('%s is refused', ([, input]) => {
  expect(() => verificationHash(input)).toThrow(expect.objectContaining({ code: 'invalid_hash_input' }));
});

test('an invalid amount is refused', () => {
  expect(() => verificationHash({ ...GOLDEN, amount: '1500.005' })).toThrow(
    expect.objectContaining({ code: 'invalid_amount' }),
  );
});
