import { expect, test } from 'vitest';
import { useTestDb } from '../testing/database/test-db.ts';

const { sql } = useTestDb();

test('ids made one after the other are in their order, in one millisecond too', async () => {
  const rows = await sql(
    `SELECT core.new_id() AS id, (SELECT count(*) FROM generate_series(1, 100 + n)) FROM generate_series(1, 200) n`,
  );
  const ids = rows.map((row) => String(row['id']));
  expect(ids).toEqual(ids.toSorted());
  expect(new Set(ids.map((id) => id.slice(0, 13))).size).toBeLessThan(ids.length);
});

test('an id is a UUID version 7 of its moment', async () => {
  const [row] = await sql(
    `SELECT i.at_ms, extract(epoch FROM clock_timestamp()) * 1000 AS now_ms, i.id
       FROM (SELECT floor(extract(epoch FROM clock_timestamp()) * 1000) AS at_ms, core.new_id() AS id) i`,
  );
  const id = String(row?.['id']);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const milliseconds = Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
  expect(milliseconds).toBeGreaterThanOrEqual(Number(row?.['at_ms']));
  expect(milliseconds).toBeLessThanOrEqual(Number(row?.['now_ms']));
});
