import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDb } from '../testing/database/test-db.ts';
import type { TestDb } from '../testing/database/test-db.ts';

let database: TestDb;
beforeAll(async () => {
  database = await openTestDb();
});
afterAll(() => database[Symbol.asyncDispose]());

const ITEMS = 5_000;

async function idsOf(seed: string, milliseconds: number): Promise<string[]> {
  const rows = await database.sql(
    `SELECT core.batch_id($1::bigint, i, decode($2, 'hex'))::text AS id FROM generate_series(1, $3::int) AS i ORDER BY i`,
    [milliseconds, seed, ITEMS],
  );
  return rows.map(({ id }) => String(id));
}

/** What RFC 9562 says of version 7, with the bits that the batch gives. */
function expectedId(seed: string, milliseconds: number, item: number): string {
  const place = Buffer.alloc(4);
  place.writeInt32BE(item);
  const random = createHash('sha256')
    .update(Buffer.from(seed, 'hex'))
    .update(place)
    .digest('hex')
    .slice(0, 15);
  const time = milliseconds.toString(16).padStart(12, '0');
  const sequence = (item % 4_096).toString(16).padStart(3, '0');
  return [time.slice(0, 8), time.slice(8), `7${sequence}`, `8${random.slice(0, 3)}`, random.slice(3)].join(
    '-',
  );
}

test('the ids of a batch are UUIDs of version 7 that differ, and those of another seed are others', async () => {
  const seeds = fc
    .uint8Array({ minLength: 16, maxLength: 16 })
    .map((bytes) => Buffer.from(bytes).toString('hex'));
  const moments = fc.integer({ min: 0, max: 2 ** 47 });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(seeds, { minLength: 2, maxLength: 2 }),
      moments,
      async ([a = '', b = ''], at) => {
        const [ofA, ofB] = [await idsOf(a, at), await idsOf(b, at)];
        expect(ofA).toEqual(Array.from({ length: ITEMS }, (_, place) => expectedId(a, at, place + 1)));
        expect(new Set([...ofA, ...ofB]).size).toBe(2 * ITEMS);
      },
    ),
    { numRuns: 10 },
  );
});
