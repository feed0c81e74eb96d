import { beforeEach, expect, test } from 'vitest';
import { findSms } from './messages.ts';
import { smsSpend } from './costs.ts';
import { settleSms } from './settlements.ts';
import { decideSms } from './unknown.ts';
import { accepted, claim, claimNew, drain, newMessageId, report } from '../testing/sms/messages.ts';
import { useTestDb, valueOf } from '../testing/database/test-db.ts';

const database = useTestDb();
const { sql } = database;

beforeEach(() => drain(sql));

/** A message that the provider has, with its id. */
async function send(): Promise<{ id: string; providerMessageId: string; recipient: string }> {
  const message = await claimNew(database.db);
  const providerMessageId = newMessageId();
  await settleSms(database.db, [accepted(message, { providerMessageId })]);
  return { id: message.id, providerMessageId, recipient: message.recipient ?? '' };
}

test('a report is kept byte by byte, and its message knows what it says', async () => {
  const { id, providerMessageId, recipient } = await send();
  const body = Buffer.from([0, 255, 61, 38]);
  const recorded = await report(database.db, {
    status: 'Failed',
    providerMessageId,
    reason: 'DeliveryFailure',
    networkCode: '63903',
    retryCount: 2,
    phone: `+${recipient}`,
    body,
  });
  expect(recorded).toMatchObject({ outcome: 'APPLIED', smsId: id, isKnownStatus: true });
  const rows = await sql(
    `SELECT provider, provider_message_id, status, reason, network_code, retry_count, phone, sms_id, outcome, body
       FROM services.sms_delivery_reports WHERE id = $1`,
    [recorded.id],
  );
  expect(rows).toEqual([
    {
      provider: 'at',
      provider_message_id: providerMessageId,
      status: 'Failed',
      reason: 'DeliveryFailure',
      network_code: '63903',
      retry_count: 2,
      phone: recipient,
      sms_id: id,
      outcome: 'APPLIED',
      body,
    },
  ]);
  expect(await findSms(database.db, id)).toMatchObject({
    deliveryStatus: 'Failed',
    deliveryReason: 'DeliveryFailure',
    network: 'Airtel',
  });
});

test('a message that the network could not deliver has FAILED, and what it cost stays charged', async () => {
  const { id, providerMessageId } = await send();
  const before = await smsSpend(database.db);
  await report(database.db, { status: 'Rejected', providerMessageId, reason: 'UserInBlackList' });
  expect(await findSms(database.db, id)).toMatchObject({
    status: 'FAILED',
    phase: 'DONE',
    errorCode: 'undelivered',
    errorMessage: 'The network reported Rejected, UserInBlackList.',
    cost: '0.8000',
  });
  expect(await smsSpend(database.db)).toEqual(before);
});

test('one that is delivered after all is SENT again', async () => {
  const { id, providerMessageId } = await send();
  await report(database.db, { status: 'Failed', providerMessageId });
  await report(database.db, { status: 'Success', providerMessageId });
  expect(await findSms(database.db, id)).toMatchObject({
    status: 'SENT',
    errorCode: null,
    deliveryStatus: 'Success',
  });
});

test.for([
  ['Sent', 10, 'SENT'],
  ['Submitted', 20, 'SENT'],
  ['Buffered', 30, 'SENT'],
  ['AbsentSubscriber', 40, 'SENT'],
  ['Rejected', 60, 'FAILED'],
  ['Failed', 61, 'FAILED'],
  ['Expired', 62, 'FAILED'],
  ['Success', 100, 'SENT'],
] as const)('%s has the rank %i and leaves the message %s', async ([status, rank, expected]) => {
  const { id, providerMessageId } = await send();
  expect(await valueOf(sql, 'SELECT services.delivery_rank($1)', [status])).toBe(rank);
  await report(database.db, { status, providerMessageId });
  const sms = await findSms(database.db, id);
  expect(sms).toMatchObject({ status: expected, deliveryStatus: status });
  expect(sms?.deliveredAt !== null).toBe(status === 'Success');
});

test.for([
  ['63902', 'Safaricom'],
  ['63903', 'Airtel'],
  ['63907', 'Telkom'],
  ['63999', 'Equitel'],
  ['99999', 'Sandbox'],
  ['12345', '12345'],
])('the network code %s is %s', async ([networkCode, network]) => {
  const { id, providerMessageId } = await send();
  await report(database.db, { status: 'Sent', providerMessageId, networkCode: networkCode ?? null });
  expect(await findSms(database.db, id)).toMatchObject({ network });
});

test('a status that nobody knows is kept, says so, and gives way to any that is known', async () => {
  const { id, providerMessageId } = await send();
  expect(await report(database.db, { status: 'Borked', providerMessageId })).toMatchObject({
    outcome: 'APPLIED',
    isKnownStatus: false,
  });
  expect(await findSms(database.db, id)).toMatchObject({ status: 'SENT', deliveryStatus: 'Borked' });
  await report(database.db, { status: 'Sent', providerMessageId });
  expect(await findSms(database.db, id)).toMatchObject({ deliveryStatus: 'Sent' });
  expect(await report(database.db, { status: 'Borked', providerMessageId })).toMatchObject({
    outcome: 'STALE',
  });
});

test('a repeated report is kept and changes nothing', async () => {
  const { id, providerMessageId } = await send();
  await report(database.db, { status: 'Success', providerMessageId });
  const before = await findSms(database.db, id);
  expect(await report(database.db, { status: 'Success', providerMessageId })).toMatchObject({
    outcome: 'STALE',
    smsId: id,
  });
  expect(await findSms(database.db, id)).toEqual(before);
});

test.for([
  [{ providerMessageId: null, status: 'Success' }],
  [{ providerMessageId: 'None', status: 'Success' }],
  [{ providerMessageId: ' ', status: 'Success' }],
  [{ providerMessageId: 'ATXid_1', status: null }],
  [{ providerMessageId: null, status: null }],
])('a report with too few readable fields is quarantined: %j', async ([facts]) => {
  const recorded = await report(database.db, { status: null, ...facts });
  expect(recorded).toMatchObject({ outcome: 'QUARANTINED', smsId: null });
});

test('what a stranger writes is stored, whatever it is', async () => {
  const recorded = await report(database.db, {
    status: 'S\0'.repeat(200),
    providerMessageId: `\ud800${newMessageId()}`,
    reason: 'r'.repeat(500),
    networkCode: 'n'.repeat(500),
    retryCount: 2 ** 40,
    phone: '2547 ***** 126',
  });
  expect(recorded).toMatchObject({ outcome: 'PARKED', isKnownStatus: false });
});

test('a report about another number than the message’s is kept and not believed', async () => {
  const { id, providerMessageId } = await send();
  expect(
    await report(database.db, { status: 'Failed', providerMessageId, phone: '+254799999999' }),
  ).toMatchObject({
    outcome: 'MISMATCHED',
    smsId: null,
  });
  expect(await findSms(database.db, id)).toMatchObject({ status: 'SENT', deliveryStatus: null });
});

test('of two messages that a provider gave one id, the report goes to the one whose number it names, or to none', async () => {
  const providerMessageId = newMessageId();
  const [first, second] = [await claimNew(database.db), await claimNew(database.db)];
  await settleSms(database.db, [
    accepted(first, { providerMessageId }),
    accepted(second, { providerMessageId }),
  ]);
  expect(await report(database.db, { status: 'Success', providerMessageId })).toMatchObject({
    outcome: 'AMBIGUOUS',
  });
  expect(
    await report(database.db, { status: 'Success', providerMessageId, phone: second.recipient }),
  ).toMatchObject({
    outcome: 'APPLIED',
    smsId: second.id,
  });
  expect(await findSms(database.db, first.id)).toMatchObject({ deliveryStatus: null });
  expect(await findSms(database.db, second.id)).toMatchObject({ deliveryStatus: 'Success' });
});

test('an id means nothing without its provider', async () => {
  const { providerMessageId } = await send();
  expect(
    await report(database.db, { provider: 'other', status: 'Success', providerMessageId }),
  ).toMatchObject({
    outcome: 'PARKED',
  });
});

test('a report resolves a message of unknown outcome whose id is known', async () => {
  const message = await claimNew(database.db);
  const providerMessageId = newMessageId();
  const { id, attempt } = message;
  await settleSms(database.db, [{ id, attempt, outcome: 'unknown', providerMessageId }]);
  await report(database.db, { status: 'Borked', providerMessageId });
  expect(await findSms(database.db, id)).toMatchObject({ phase: 'UNKNOWN' });
  await report(database.db, { status: 'Submitted', providerMessageId });
  expect(await findSms(database.db, id)).toMatchObject({ status: 'SENT', phase: 'DONE', errorCode: null });
});

test('a report that the provider has it stops a retry', async () => {
  const message = await claimNew(database.db);
  const providerMessageId = newMessageId();
  const { id, attempt } = message;
  await settleSms(database.db, [{ id, attempt, outcome: 'retry', providerMessageId, retryAfterMs: 0 }]);
  await report(database.db, { status: 'Success', providerMessageId });
  expect((await claim(database.db)).messages).toEqual([]);
  expect(await findSms(database.db, id)).toMatchObject({ status: 'SENT' });
});

test('a report about an earlier attempt leaves a request that is under way to its own answer', async () => {
  const { id, attempt } = await claimNew(database.db);
  const providerMessageId = newMessageId();
  await settleSms(database.db, [{ id, attempt, outcome: 'unknown', providerMessageId }]);
  await decideSms(database.db, { id, decision: 'send_again', decidedBy: 'amina', note: 'no report' });
  await claim(database.db);
  expect(await report(database.db, { status: 'Failed', providerMessageId })).toMatchObject({
    outcome: 'APPLIED',
  });
  expect(await findSms(database.db, id)).toMatchObject({ phase: 'SENDING', deliveryStatus: 'Failed' });
  await settleSms(database.db, [accepted({ id, attempt: 2 })]);
  expect(await findSms(database.db, id)).toMatchObject({ status: 'SENT', deliveryStatus: null });
});
