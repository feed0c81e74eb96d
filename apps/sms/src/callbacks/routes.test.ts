import { withoutChance } from '@repo/testing/chance';
import { queueSms, recordOptOut } from '@repo/db';
import { expect, test } from 'vitest';
import { isDone, newNumber, startTestService, TEST_TOKEN, untilSms, useTestService } from '../testing.ts';
import type { TestService } from '../testing.ts';

const service = useTestService();

function post(of: TestService, kind: 'delivery-reports' | 'opt-outs', body: string | Uint8Array) {
  return of.ask(`/${kind}/${TEST_TOKEN}`, {
    method: 'POST',
    key: null,
    body,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
}

/** What is stored of reports, in the order of arrival. */
function readReports(of: TestService) {
  return of.query(
    `SELECT outcome, status, provider_message_id AS id, encode(body, 'hex') AS body
       FROM services.sms_delivery_reports ORDER BY received_at, id`,
  );
}

const hexOf = (body: string | Uint8Array) => Buffer.from(body).toString('hex');

async function sendOne(of: TestService) {
  of.send();
  const recipient = newNumber();
  const { id } = await queueSms(of.db, { recipient, message: 'Hello' });
  const { providerMessageId } = await untilSms(of, id, isDone);
  return { id, recipient, providerMessageId: providerMessageId ?? '' };
}

test.each([
  [
    'a form',
    (id: string, to: string) => `id=${id}&status=Success&phoneNumber=%2B${to}&networkCode=63902&retryCount=0`,
  ],
  [
    'a form in another order',
    (id: string, to: string) => `networkCode=63902&phoneNumber=%2B${to}&status=Success&id=${id}`,
  ],
  [
    'JSON',
    (id: string, to: string) =>
      JSON.stringify({ phoneNumber: `+${to}`, status: 'Success', id, networkCode: '63902' }),
  ],
])('a report as %s reaches its message', async (_what, bodyOf) => {
  await using own = await startTestService();
  const { id, recipient, providerMessageId } = await sendOne(own);
  const body = bodyOf(providerMessageId, recipient);
  const answer = await post(own, 'delivery-reports', body);
  expect([answer.status, answer.body]).toEqual([200, { status: 'stored' }]);
  expect((await own.ask(`/messages/${id}`)).body).toMatchObject({
    deliveryState: 'delivered',
    deliveryStatus: 'Success',
    network: 'Safaricom',
    deliveredAt: expect.any(String) as string,
  });
  expect(await readReports(own)).toEqual([
    { outcome: 'APPLIED', status: 'Success', id: providerMessageId, body: hexOf(body) },
  ]);
});

test('a message that was not delivered says why in words that people understand', async () => {
  const { id, providerMessageId } = await sendOne(service);
  const body = `id=${providerMessageId}&status=Failed&failureReason=UserDoesNotExist`;
  await post(service, 'delivery-reports', body);
  expect((await service.ask(`/messages/${id}`)).body).toMatchObject({
    status: 'failed',
    errorCode: 'undelivered',
    errorMessage:
      'The network reported Failed, UserDoesNotExist. The network knows no such number. Correct it with the customer.',
    deliveryState: 'failed',
    deliveryStatus: 'Failed',
    deliveryReason: 'UserDoesNotExist',
  });
});

test('a report that comes again changes nothing, and one that comes late neither', async () => {
  await using own = await startTestService();
  const { id, providerMessageId } = await sendOne(own);
  for (const status of ['Success', 'Success', 'Sent']) {
    expect((await post(own, 'delivery-reports', `id=${providerMessageId}&status=${status}`)).status).toBe(
      200,
    );
  }
  expect((await own.ask(`/messages/${id}`)).body).toMatchObject({ deliveryStatus: 'Success' });
  expect((await readReports(own)).map(({ outcome }) => outcome)).toEqual(['APPLIED', 'STALE', 'STALE']);
});

test('a report for an id that nobody knows is parked', async () => {
  await using own = await startTestService();
  await post(own, 'delivery-reports', 'id=ATXid_unknown&status=Success');
  expect(await readReports(own)).toMatchObject([{ outcome: 'PARKED', id: 'ATXid_unknown' }]);
  expect(await own.metric('sms_delivery_reports_total{outcome="parked",service="sms"}')).toBe(1);
});

test.each([
  ['nothing', '', 'body_empty'],
  ['bytes that are not text', new Uint8Array([0xff, 0x00]), 'body_not_utf8'],
  ['a text', 'hello', 'body_not_fields'],
  ['half of JSON', '{"id":', 'body_not_json'],
  ['no id', 'status=Success', 'id_missing'],
  ['no status', 'id=ATXid_1', 'status_missing'],
  ['two ids', 'id=ATXid_1&id=ATXid_2&status=Success', 'field_conflict'],
])('%s instead of a report is acknowledged and kept as it came', async (_what, body, reason) => {
  await using own = await startTestService();
  expect((await post(own, 'delivery-reports', body)).status).toBe(200);
  expect(await readReports(own)).toEqual([
    { outcome: 'QUARANTINED', status: null, id: null, body: hexOf(body) },
  ]);
  expect(await own.metric(`sms_callbacks_quarantined_total{reason="${reason}",service="sms"}`)).toBe(1);
});

test('a body over 64 KiB is refused with 413 and its beginning is kept', async () => {
  await using own = await startTestService();
  const { status, body } = await post(own, 'delivery-reports', Buffer.alloc(65_537, 'id=ATXid_1&'));
  expect([status, body['code']]).toEqual([413, 'body_too_large']);
  const [stored] = await readReports(own);
  expect(stored).toMatchObject({ outcome: 'QUARANTINED' });
  expect(String(stored?.['body'])).toHaveLength(2 * 65_536);
});

test('a wrong token is answered exactly like an unknown path, and nothing is stored', async () => {
  await using own = await startTestService();
  const ask = async (path: string) => {
    const { status, body, headers } = await own.ask(path, {
      method: 'POST',
      key: null,
      body: 'id=a&status=b',
    });
    const { requestId: _, ...rest } = body;
    const fixed = [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name));
    return { status, rest, fixed };
  };
  const unknown = await ask(`/nothing/${TEST_TOKEN}`);
  expect(unknown.status).toBe(404);
  for (const path of [
    '/delivery-reports/wrong',
    '/opt-outs/wrong',
    `/delivery-reports/${'w'.repeat(8_000)}`,
  ]) {
    expect(await ask(path)).toEqual(unknown);
  }
  expect(await readReports(own)).toEqual([]);
});

test('when nothing can be stored a report is answered 503, and its repeat is stored', async () => {
  await using own = await startTestService();
  own.network.cut();
  expect((await post(own, 'delivery-reports', 'id=ATXid_1&status=Success')).status).toBe(503);
  expect((await post(own, 'delivery-reports', 'hello')).status).toBe(503);
  expect((await post(own, 'opt-outs', 'phoneNumber=%2B254711222333')).status).toBe(503);
  own.network.restore();
  expect((await post(own, 'delivery-reports', 'id=ATXid_1&status=Success')).status).toBe(200);
  expect(await readReports(own)).toHaveLength(1);
});

test('a report that the database refuses in particular is kept as it came', async () => {
  await using own = await startTestService();
  await own.query(
    `CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'out of order'; END $$;
     CREATE TRIGGER refuse BEFORE INSERT ON services.sms_delivery_reports FOR EACH ROW
       WHEN (NEW.provider_message_id = 'POISON') EXECUTE FUNCTION public.refuse()`,
  );
  const body = 'id=POISON&status=Success';
  expect((await post(own, 'delivery-reports', body)).status).toBe(200);
  expect(await readReports(own)).toEqual([
    { outcome: 'QUARANTINED', status: null, id: null, body: hexOf(body) },
  ]);
});

test('a status that is not listed is kept and told to people', async () => {
  const { id, providerMessageId } = await sendOne(service);
  await post(service, 'delivery-reports', `id=${providerMessageId}&status=Teleported`);
  expect((await service.ask(`/messages/${id}`)).body).toMatchObject({
    status: 'sent',
    deliveryState: 'unknown',
    deliveryStatus: 'Teleported',
  });
  expect(service.lines.join('')).toContain('a delivery status that is not listed');
});

test('a wish that the database cannot take at the moment is answered 503, so that it is sent again', async () => {
  await using own = await startTestService();
  await own.query('ALTER TABLE services.sms_opt_outs RENAME TO opt_outs_before');
  const answer = await post(own, 'opt-outs', 'senderId=DAFTARI&phoneNumber=%2B254711222333');
  expect([answer.status, answer.body]).toMatchObject([503, { code: 'unavailable' }]);
  expect(await readReports(own)).toEqual([]);
});

test('a customer who opts out gets no unimportant messages any more, and says so once or often', async () => {
  await using own = await startTestService();
  const body = 'senderId=DAFTARI&phoneNumber=%2B254711222333';
  for (const result of ['new', 'known']) {
    expect((await post(own, 'opt-outs', body)).status).toBe(200);
    expect(await own.metric(`sms_opt_outs_total{result="${result}",service="sms"}`)).toBe(1);
  }
  expect(await recordOptOut(own.db, { number: '0711222333', senderId: 'DAFTARI' })).toEqual({
    recorded: false,
  });
});

test('an opt-out that names nobody is kept as it came, and a senseless sender does not cost the wish', async () => {
  await using own = await startTestService();
  expect((await post(own, 'opt-outs', 'senderId=DAFTARI')).status).toBe(200);
  expect(await readReports(own)).toMatchObject([{ outcome: 'QUARANTINED', body: hexOf('senderId=DAFTARI') }]);
  await post(own, 'opt-outs', `senderId=${'D'.repeat(90)}&phoneNumber=%2B254711222333`);
  expect(await own.query('SELECT number, sender_id FROM services.sms_opt_outs')).toEqual([
    { number: '254711222333', sender_id: '' },
  ]);
});

test('neither the log nor the metrics hold a number, a body or the token', async () => {
  const number = '254700000126';
  await post(service, 'delivery-reports', `id=ATXid_1&status=Weird+${number}&phoneNumber=%2B${number}`);
  await post(service, 'delivery-reports', `phoneNumber=%2B${number}`);
  await post(service, 'opt-outs', `phoneNumber=%2B${number}`);
  const written = withoutChance(`${service.lines.join('')}${await service.server.metrics.metrics()}`);
  expect(written).toContain('a delivery status that is not listed');
  for (const secret of [number, number.slice(3), TEST_TOKEN]) expect(written).not.toContain(secret);
});
