import { createTestDatabase } from '@repo/postgres/testing';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { createDb } from '../connection/db.ts';
import { backfillHashes, countUnhashed } from './hash-backfill.ts';
import { verificationHash } from './verification-hash.ts';

const POST = `SELECT core.post_transactions(
  (SELECT array_agg('OLD' || i) FROM generate_series(1, 25) i), array_fill('DEPOSIT'::text, ARRAY[25]),
  array_fill('MPESA-FLOAT'::text, ARRAY[25]), array_fill('SUSPENSE'::text, ARRAY[25]), NULL,
  (SELECT array_agg(i + 0.5) FROM generate_series(1, 25) i), array_fill('KES'::text, ARRAY[25]), NULL, NULL, NULL)`;

test('old transactions get their hash in steps, and nothing else of them changes', async () => {
  await using database = await createTestDatabase();
  const db = createDb({ url: database.url });
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(POST);
  // As rows are that were written before there was a hash.
  await client.query(`ALTER TABLE core.transactions DISABLE TRIGGER USER`);
  await client.query(`UPDATE core.transactions SET verification_hash = NULL WHERE reference <> 'OLD7'`);
  await client.query(`ALTER TABLE core.transactions ENABLE TRIGGER USER`);
  const others = `SELECT md5(string_agg((to_jsonb(t) - 'verification_hash')::text, '' ORDER BY id)) AS digest
    FROM core.transactions t`;
  const before = await client.query<{ digest: string }>(others);

  expect(await countUnhashed(db)).toBe(24);
  expect(await backfillHashes(db, { limit: 10 })).toEqual({ filled: 10 });
  expect(await countUnhashed(db)).toBe(14);
  const together = await Promise.all([backfillHashes(db, { limit: 10 }), backfillHashes(db, { limit: 10 })]);
  const [one, two] = together;
  expect((one?.filled ?? 0) + (two?.filled ?? 0) + (await backfillHashes(db, { limit: 100 })).filled).toBe(
    14,
  );
  expect(await backfillHashes(db, { limit: 10 })).toEqual({ filled: 0 });

  const { rows } = await client.query<{ reference: string; amount: string; ms: string; hash: string }>(
    `SELECT reference, amount::text, (extract(epoch FROM created_at) * 1000)::bigint::text AS ms,
            verification_hash AS hash FROM core.transactions`,
  );
  expect(rows).toHaveLength(25);
  for (const { reference, amount, ms, hash } of rows) {
    expect(hash).toBe(verificationHash({ reference, amount, createdAt: new Date(Number(ms)) }));
  }
  expect((await client.query<{ digest: string }>(others)).rows).toEqual(before.rows);
  const editing = client.query(`UPDATE core.transactions SET verification_hash = NULL`);
  await expect(editing).rejects.toMatchObject({ code: 'DF001' });
  await client.end();
  await db.close();
});

test('a transaction whose time is no moment has no hash, and the others get theirs', async () => {
  await using database = await createTestDatabase();
  const db = createDb({ url: database.url });
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(POST);
  await client.query(`SET session_replication_role = replica`);
  await client.query(`UPDATE core.transactions SET verification_hash = NULL`);
  await client.query(`UPDATE core.transactions SET created_at = 'infinity' WHERE reference = 'OLD1'`);
  expect(await backfillHashes(db, { limit: 10 })).toEqual({ filled: 10 });
  expect(await backfillHashes(db, { limit: 100 })).toEqual({ filled: 14 });
  expect(await backfillHashes(db, { limit: 100 })).toEqual({ filled: 0 });
  expect(await countUnhashed(db)).toBe(1);
  await client.end();
  await db.close();
});
