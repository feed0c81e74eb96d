import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { applyPending } from '../fixtures/databases.ts';
import { repository } from '../fixtures/temporary-project.ts';
import { readMigrations } from '../migrations.ts';
import { rollBack } from './roll-back.ts';

const { migrations } = repository;
const names = (await readMigrations(migrations)).map(({ name }) => name);
const place = names.findIndex((name) => name.endsWith('_sms'));
const before = names[place - 1];

const OLD = `INSERT INTO services.sms_logs (recipient, message, cost, status, provider_message_id, created_at) VALUES
  ('254700000001', 'waits', NULL, 'PENDING', NULL, '2025-01-01'), ('254700000002', 'went', 0.8, 'SENT', 'ATXid_1', '2025-01-01'),
  ('254700000003', 'lost', NULL, 'FAILED', NULL, '2025-01-01')`;

const ROWS = `SELECT message, status, phase, cost::text AS cost, attempts::int AS attempts, settled_at IS NOT NULL AS settled
  FROM services.sms_logs ORDER BY message`;

describe('the migration of the SMS', () => {
  it('queues what was pending, leaves the rest alone, and does not write a large table again', async () => {
    await using database = await createTestDatabase();
    const { url } = database;
    await rollBack({ url, migrations, to: before });
    await execute(url, OLD);
    const file = `SELECT pg_relation_filenode('services.sms_logs')::text AS file`;
    const [old] = await execute(url, file);
    await applyPending(url, migrations);
    expect(await execute(url, file)).toEqual([old]);
    expect(await execute(url, ROWS)).toEqual([
      { message: 'lost', status: 'FAILED', phase: 'DONE', cost: null, attempts: 0, settled: true },
      { message: 'waits', status: 'PENDING', phase: 'QUEUED', cost: null, attempts: 0, settled: false },
      { message: 'went', status: 'SENT', phase: 'DONE', cost: '0.8000', attempts: 0, settled: true },
    ]);
  });

  it('is walked back without a loss where nothing has been sent, and the messages stay', async () => {
    await using database = await createTestDatabase();
    const { url } = database;
    await execute(url, `INSERT INTO services.sms_logs (recipient, message) VALUES ('254700000001', 'waits')`);
    const { losses } = await rollBack({ url, migrations, to: before });
    expect(losses).toEqual([]);
    expect(await execute(url, 'SELECT recipient, message, status FROM services.sms_logs')).toEqual([
      { recipient: '254700000001', message: 'waits', status: 'PENDING' },
    ]);
    await applyPending(url, migrations);
    expect(await execute(url, ROWS)).toMatchObject([{ message: 'waits', phase: 'QUEUED' }]);
  });

  it('says what would be lost, and keeps status, cost and provider id when it is done', async () => {
    await using database = await createTestDatabase();
    const { url } = database;
    await execute(
      url,
      `INSERT INTO services.sms_logs (recipient, message, recipient_hash, phase, status, cost, currency, provider_message_id)
       VALUES (NULL, 'went', repeat('a', 64), 'DONE', 'SENT', 0.8, 'KES', 'ATXid_1')`,
    );
    await execute(
      url,
      `SELECT set_config('daftari.door', 'open', true);
       INSERT INTO services.sms_spend VALUES ('2026-03-01', 'KES', 1, 1, 0.8)`,
    );
    await execute(
      url,
      `SELECT services.record_delivery_report('at', 'ATXid_2', 'delivered', 'ok', NULL, NULL, NULL, NULL, NULL, '')`,
    );
    const refusal: unknown = await rollBack({ url, migrations, to: before }).catch((error: unknown) => error);
    expect(String(refusal)).toContain('1 row of services.sms_spend');
    expect(String(refusal)).toContain('1 row of services.sms_delivery_reports');
    expect(String(refusal)).toContain('1 value of services.sms_logs.recipient_hash');
    await rollBack({ url, migrations, to: before, discardData: true });
    const rows =
      'SELECT recipient, status, cost::text AS cost, provider_message_id AS id FROM services.sms_logs';
    expect(await execute(url, rows)).toEqual([
      { recipient: '', status: 'SENT', cost: '0.8000', id: 'ATXid_1' },
    ]);
    await applyPending(url, migrations);
    expect(await execute(url, ROWS)).toMatchObject([{ message: 'went', phase: 'DONE', status: 'SENT' }]);
  });

  it('is not walked back while a message may or may not have been sent', async () => {
    await using database = await createTestDatabase();
    const { url } = database;
    await execute(url, `INSERT INTO services.sms_logs (recipient, message) VALUES ('254700000001', 'waits')`);
    await execute(url, `SELECT services.claim_sms('s', 'at', 1, 60000, 86400000, NULL, NULL)`);
    const walking = rollBack({ url, migrations, to: before, discardData: true });
    await expect(walking).rejects.toThrow(/messages of unknown outcome/);
    expect(await execute(url, ROWS)).toMatchObject([{ phase: 'SENDING' }]);
  });
});
