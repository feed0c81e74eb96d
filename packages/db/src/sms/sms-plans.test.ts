import { afterAll, beforeAll, expect, test } from 'vitest';
import { isOverNodes } from '../testing/database/nodes.ts';
import { openTestDb } from '../testing/database/test-db.ts';
import type { TestDb } from '../testing/database/test-db.ts';

const OLD = 200_000;
const BACKLOG = 20_000;
const opened: TestDb[] = [];

// Messages of years, some that wait for their next attempt, and a few that are due. Nothing is analysed: plans must not
// hang on statistics that a fresh database does not have.
beforeAll(async () => {
  const database = await openTestDb();
  opened.push(database);
  await database.sql(
    `INSERT INTO services.sms_logs (recipient, message, status, phase, provider, provider_message_id, attempts, claimed_at)
     SELECT '2547' || lpad(n::text, 8, '0'), 'x', 'SENT', 'DONE', 'at', 'ATXid_' || n, 1, now()
       FROM generate_series(1, $1::int) n`,
    [OLD],
  );
  await database.sql(
    `INSERT INTO services.sms_logs (recipient, message, priority, next_attempt_at)
     SELECT '254700000000', 'later', n % 2, now() AT TIME ZONE 'UTC' + interval '1 hour' FROM generate_series(1, 2000) n`,
  );
  await database.sql(
    `INSERT INTO services.sms_logs (recipient, message, priority)
     SELECT '254700000000', 'due', n % 2 FROM generate_series(1, 60) n`,
  );
});

afterAll(() => opened[0]?.[Symbol.asyncDispose]());

const EFFORT = `SELECT coalesce(sum(seq_scan), 0)::int AS scans, coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::int AS rows
  FROM pg_stat_xact_user_tables WHERE schemaname = 'services' AND relname LIKE 'sms%'`;

interface Effort {
  readonly scans: number;
  readonly rows: number;
}

async function effortOf(text: string, values: readonly unknown[] = []): Promise<Effort> {
  const [database] = opened;
  if (database === undefined) throw new Error('the database is not open');
  return effortIn(database, text, values);
}

/** How many rows of the SMS tables a statement reads, and how often one of them from end to end. */
async function effortIn({ sql }: TestDb, text: string, values: readonly unknown[]): Promise<Effort> {
  await sql('BEGIN');
  const before = await sql(EFFORT);
  await sql(text, values);
  const after = await sql(EFFORT);
  await sql('COMMIT');
  const of = (name: string) => Number(after[0]?.[name]) - Number(before[0]?.[name]);
  return { scans: of('scans'), rows: of('rows') };
}

const CLAIM = `SELECT * FROM services.claim_sms('s', 'at', $1, 60000, 86400000000, 1000000, 'KES')`;

test('a claim reads what it claims, however many messages there have been', async () => {
  // Picked, updated and returned: three reads a message; and the next one that is due, of each priority.
  expect((await effortOf(CLAIM, [10])).rows).toBeLessThanOrEqual(3 * 10 + 10);
  expect((await effortOf(CLAIM, [10])).scans).toBe(0);
});

test('a claim reads what it claims, however many wait and however well the server knows it', async () => {
  await using database = await openTestDb();
  await database.sql(
    `INSERT INTO services.sms_logs (recipient, message) SELECT '254700000000', 'due' FROM generate_series(1, $1::int)`,
    [BACKLOG],
  );
  // The planner takes a limit that it does not know for a tenth of what waits, and for that it would rather read all.
  await database.sql('ANALYZE services.sms_logs');
  const { rows, scans } = await effortIn(database, CLAIM, [10]);
  expect(scans).toBe(0);
  expect(rows).toBeLessThanOrEqual(3 * 10 + 10);
});

test('a claim that finds nothing reads next to nothing', async () => {
  await effortOf(CLAIM, [1000]);
  const { rows, scans } = await effortOf(CLAIM, [1000]);
  expect(scans).toBe(0);
  expect(rows).toBeLessThanOrEqual(10);
});

test('leases are expired by their index', async () => {
  const { rows, scans } = await effortOf('SELECT services.expire_sms_leases(1000)');
  expect(scans).toBe(0);
  // No lease is over, and 60 messages are under way: a version that is dead already may be met, but not all of them.
  expect(rows).toBeLessThanOrEqual(5);
});

// Over nodes each lane settles its own, out of sight of this server's plans.
test.skipIf(isOverNodes)('settlements read what they settle', async () => {
  const text = `
    WITH due AS (SELECT array_agg(id) AS ids, count(*)::int AS n FROM services.sms_logs WHERE phase = 'SENDING')
    SELECT s.* FROM due, services.settle_sms(
      due.ids, array_fill(1, ARRAY[due.n]), array_fill('accepted'::text, ARRAY[due.n]),
      (SELECT array_agg('ATXid_new_' || i) FROM generate_series(1, due.n) i),
      array_fill(0.8, ARRAY[due.n]), array_fill('KES'::text, ARRAY[due.n]), array_fill(1, ARRAY[due.n]),
      array_fill(1, ARRAY[due.n]), array_fill('GSM-7'::text, ARRAY[due.n]), array_fill(NULL::text, ARRAY[due.n]),
      array_fill(NULL::text, ARRAY[due.n]), array_fill(NULL::text, ARRAY[due.n]), array_fill(0::bigint, ARRAY[due.n])) s`;
  const { rows } = await effortOf(text);
  expect(rows).toBeGreaterThan(60);
  expect(rows).toBeLessThanOrEqual(60 * 8);
});

test('a report finds its message by the provider’s id', async () => {
  const { rows, scans } = await effortOf(
    `SELECT * FROM services.record_delivery_report(
       'at', 'ATXid_77777', 'delivered', 'ok', NULL, NULL, 'Safaricom', 0, NULL, '')`,
  );
  expect(scans).toBe(0);
  expect(rows).toBeLessThanOrEqual(12);
});
