import { expect, test } from 'vitest';
import { smsCostReport, smsSpend } from './costs.ts';
import type { SmsCostKey } from './costs.ts';
import { throughDoor, useTestDb } from '../testing/database/test-db.ts';

const database = useTestDb();

const FROM = new Date('2026-02-28T21:00:00.000Z');
const TO = new Date('2026-03-02T21:00:00.000Z');

/** Messages of two days in Nairobi, three of them at the very borders; one before and one after. */
async function fill(): Promise<void> {
  await database.sql(`
    INSERT INTO services.sms_logs
      (recipient, message, status, phase, cost, currency, parts, expected_parts, network, template, created_at)
    VALUES
      ('1', 'x', 'SENT', 'DONE', 9.9999, 'KES', 9, 9, 'Safaricom', 'deposit', '2026-02-28T20:59:59.999'),
      ('1', 'x', 'SENT', 'DONE', 0.8000, 'KES', 1, 1, 'Safaricom', 'deposit', '2026-02-28T21:00:00.000'),
      ('1', 'x', 'SENT', 'DONE', 0.0001, 'KES', 2, 1, 'Airtel', 'deposit', '2026-03-01T20:59:59.999'),
      ('1', 'x', 'FAILED', 'DONE', 1.6000, 'KES', 2, 2, 'Safaricom', 'transfer_in', '2026-03-01T21:00:00.000'),
      ('1', 'x', 'SENT', 'DONE', 0.0079, 'USD', 1, 1, NULL, 'transfer_in', '2026-03-02T20:59:59.999'),
      ('1', 'x', 'SENT', 'DONE', 0.5000, NULL, 1, NULL, NULL, 'deposit', '2026-03-02T12:00:00.000'),
      ('1', 'x', 'PENDING', 'QUEUED', NULL, NULL, NULL, NULL, NULL, 'deposit', '2026-03-02T12:00:00.000'),
      ('1', 'x', 'FAILED', 'DONE', NULL, NULL, NULL, NULL, NULL, 'deposit', '2026-03-01T12:00:00.000'),
      ('1', 'x', 'SENT', 'DONE', 9.9999, 'KES', 9, 9, 'Safaricom', 'deposit', '2026-03-02T21:00:00.000')`);
}

test('the report adds up by day in Nairobi, status, network and template, exactly and per currency', async () => {
  await fill();
  const report = (by: SmsCostKey) => smsCostReport(database.db, { from: FROM, to: TO, by });
  const row = (key: string, currency: string, sums: readonly [number, number, number, string]) => {
    const [messages, parts, expectedParts, cost] = sums;
    return { key, currency, messages, parts, expectedParts, cost };
  };
  const byDay = await report('day');
  expect(byDay.rows).toEqual([
    row('2026-03-01', 'KES', [2, 3, 2, '0.8001']),
    row('2026-03-02', 'KES', [1, 2, 2, '1.6000']),
    row('2026-03-02', 'USD', [1, 1, 1, '0.0079']),
    row('2026-03-02', 'XXX', [1, 1, 0, '0.5000']),
  ]);
  expect(byDay.uncosted).toEqual([
    { key: '2026-03-01', messages: 1 },
    { key: '2026-03-02', messages: 1 },
  ]);
  const totals = [
    { currency: 'KES', messages: 3, parts: 5, expectedParts: 4, cost: '2.4001' },
    { currency: 'USD', messages: 1, parts: 1, expectedParts: 1, cost: '0.0079' },
    { currency: 'XXX', messages: 1, parts: 1, expectedParts: 0, cost: '0.5000' },
  ];
  for (const by of ['day', 'status', 'network', 'template'] as const)
    expect((await report(by)).totals).toEqual(totals);
  const keys = async (by: SmsCostKey) =>
    (await report(by)).rows.map(({ key, currency, cost }) => [key, currency, cost]);
  expect(await keys('status')).toEqual([
    ['FAILED', 'KES', '1.6000'],
    ['SENT', 'KES', '0.8001'],
    ['SENT', 'USD', '0.0079'],
    ['SENT', 'XXX', '0.5000'],
  ]);
  expect(await keys('network')).toEqual([
    ['Airtel', 'KES', '0.0001'],
    ['Safaricom', 'KES', '2.4000'],
    ['unknown', 'USD', '0.0079'],
    ['unknown', 'XXX', '0.5000'],
  ]);
  expect(await keys('template')).toEqual([
    ['deposit', 'KES', '0.8001'],
    ['deposit', 'XXX', '0.5000'],
    ['transfer_in', 'KES', '1.6000'],
    ['transfer_in', 'USD', '0.0079'],
  ]);
  expect((await report('status')).uncosted).toEqual([
    { key: 'FAILED', messages: 1 },
    { key: 'PENDING', messages: 1 },
  ]);
});

test('nothing adds up to nothing', async () => {
  const day = new Date('2020-01-01T00:00:00.000Z');
  expect(await smsCostReport(database.db, { from: day, to: day, by: 'day' })).toEqual({
    rows: [],
    totals: [],
    uncosted: [],
  });
});

test('a report of no time is refused', async () => {
  const reporting = smsCostReport(database.db, { from: new Date(Number.NaN), to: new Date(), by: 'day' });
  await expect(reporting).rejects.toMatchObject({ code: 'invalid_request', field: 'from' });
});

test('what is spent is read by days, the latest first', async () => {
  await throughDoor(
    database.sql,
    `INSERT INTO services.sms_spend VALUES
    ('2026-03-01', 'KES', 2, 3, 1.6), ('2026-03-02', 'KES', 1, 1, 0.8), ('2026-03-02', 'USD', 1, 1, 0.0079)`,
  );
  expect(await smsSpend(database.db, { from: '2026-03-01', to: '2026-03-02' })).toEqual([
    { day: '2026-03-02', currency: 'KES', messages: 1, parts: 1, cost: '0.8000' },
    { day: '2026-03-02', currency: 'USD', messages: 1, parts: 1, cost: '0.0079' },
    { day: '2026-03-01', currency: 'KES', messages: 2, parts: 3, cost: '1.6000' },
  ]);
  expect(await smsSpend(database.db)).toEqual([]);
});

test.for(['x', '2026-02-30', '2026-3-1'])('an invalid day is refused: %s', async (day) => {
  await expect(smsSpend(database.db, { from: day })).rejects.toMatchObject({
    code: 'invalid_request',
    field: 'from',
  });
});
