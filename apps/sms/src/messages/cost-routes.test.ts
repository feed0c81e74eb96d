import { queueSms } from '@repo/db';
import { expect, test } from 'vitest';
import { isDone, newNumber, startTestService, untilSms, useTestService } from '../testing.ts';
import type { TestService } from '../testing.ts';

const service = useTestService();

/** Three messages that were sent, one of two parts, and one that nobody has been charged for. */
async function sendSome(of: TestService): Promise<void> {
  const sending = of.send();
  const texts = [
    { message: 'Hello', template: 'deposit' },
    { message: 'Hello', template: 'deposit' },
    { message: 'a'.repeat(200), template: 'campaign' },
  ];
  for (const sms of texts) {
    const { id } = await queueSms(of.db, { recipient: newNumber(), ...sms });
    await untilSms(of, id, isDone);
  }
  await sending.stop();
  await queueSms(of.db, { recipient: newNumber(), message: 'Later', template: 'deposit' });
}

test('the report has rows by template, totals by currency, and what nobody was charged for', async () => {
  await sendSome(service);
  const { status, body } = await service.ask('/reports/cost?by=template');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    rows: [
      { key: 'campaign', messages: 1, parts: 2, expectedParts: 2, cost: '1.6000', currency: 'KES' },
      { key: 'deposit', messages: 2, parts: 2, expectedParts: 2, cost: '1.6000', currency: 'KES' },
    ],
    totals: [{ messages: 3, parts: 4, expectedParts: 4, cost: '3.2000', currency: 'KES' }],
    uncosted: [{ key: 'deposit', messages: 1 }],
  });
});

test.each(['day', 'status', 'network', 'template'])('the totals are the same by %s', async (by) => {
  await using own = await startTestService();
  await sendSome(own);
  const { body } = await own.ask(`/reports/cost?by=${by}`);
  expect(body['totals']).toMatchObject([{ messages: 3, cost: '3.2000', currency: 'KES' }]);
});

test('states are in lower case as everywhere, in JSON and in CSV, and may be asked for in any', async () => {
  await using own = await startTestService();
  await sendSome(own);
  const { body } = await own.ask('/reports/cost?by=STATUS');
  expect(body).toMatchObject({ rows: [{ key: 'sent' }], uncosted: [{ key: 'pending' }] });
  const csv = await (await own.fetch('/reports/cost.csv?by=status')).text();
  expect(csv).toMatch(/\r\nsent,3,.*\r\npending,1,/);
});

test('days are those of East Africa Time, both included', async () => {
  await sendSome(service);
  // A quarter to midnight of the first in Nairobi, and a quarter past.
  await service.query(
    `SELECT set_config('daftari.door', 'open', true);
     UPDATE services.sms_logs SET created_at = '2026-03-01T20:45:00' WHERE template = 'deposit'`,
  );
  await service.query(
    `SELECT set_config('daftari.door', 'open', true);
     UPDATE services.sms_logs SET created_at = '2026-03-01T21:15:00' WHERE template = 'campaign'`,
  );
  const keysOf = async (query: string) => {
    const { body } = await service.ask(`/reports/cost?${query}`);
    return (body['rows'] as { key: string }[]).map(({ key }) => key);
  };
  expect(await keysOf('from=2026-03-01&to=2026-03-01')).toEqual(['2026-03-01']);
  expect(await keysOf('from=2026-03-02&to=2026-03-02')).toEqual(['2026-03-02']);
  expect(await keysOf('from=2026-03-01&to=2026-03-02')).toEqual(['2026-03-01', '2026-03-02']);
  expect(await keysOf('from=2026-03-02T00:00:00%2B03:00&to=2026-03-03T00:00:00Z')).toEqual(['2026-03-02']);
});

test.each([
  ['by Accept', '/reports/cost?by=template', { accept: 'text/csv' }],
  ['by extension', '/reports/cost.csv?by=template', {}],
])('the report comes as CSV %s', async (_what, path, headers) => {
  await using own = await startTestService();
  await sendSome(own);
  const response = await own.fetch(path, { headers });
  expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
  expect(await response.text()).toBe(
    'key,messages,parts,expected_parts,cost,currency\r\n' +
      'campaign,1,2,2,1.6000,KES\r\n' +
      'deposit,2,2,2,1.6000,KES\r\n' +
      'deposit,1,,,,\r\n',
  );
});

test.each([
  'by=colour',
  'from=yesterday',
  'from=2026-02-30',
  'from=2026-03-01T00:00:00',
  'from=2026-03-02&to=2026-03-01',
])('%s is refused with 422', async (query) => {
  const { status, body } = await service.ask(`/reports/cost?${query}`);
  expect([status, body['code']]).toEqual([422, 'invalid_request']);
});

test('what nobody can be given is refused with 406', async () => {
  const response = await service.fetch('/reports/cost', { headers: { accept: 'image/png' } });
  expect(response.status).toBe(406);
});
