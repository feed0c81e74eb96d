import { beforeEach, expect, test } from 'vitest';
import { findSms } from './messages.ts';
import { smsSpend } from './costs.ts';
import { settleSms } from './settlements.ts';
import { decideSms } from './unknown.ts';
import type { DeliveryState } from './delivery-reports.ts';
import { DaftariError } from '../errors.ts';
import { accepted, claim, claimNew, drain, newMessageId, report, wordOf } from '../testing/sms/messages.ts';
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
    state: 'failed',
    status: 'Failed',
    providerMessageId,
    reason: 'DeliveryFailure',
    explanation: 'Nobody knows why.',
    network: 'Airtel',
    retryCount: 2,
    phone: `+${recipient}`,
    body,
  });
  expect(recorded).toEqual({ id: recorded.id, outcome: 'APPLIED', smsId: id });
  const rows = await sql(
    `SELECT provider, provider_message_id, state, status, reason, explanation, network, retry_count, phone, sms_id,
            outcome, body
       FROM services.sms_delivery_reports WHERE id = $1`,
    [recorded.id],
  );
  expect(rows).toEqual([
    {
      provider: 'at',
      provider_message_id: providerMessageId,
      state: 'failed',
      status: 'Failed',
      reason: 'DeliveryFailure',
      explanation: 'Nobody knows why.',
      network: 'Airtel',
      retry_count: 2,
      phone: recipient,
      sms_id: id,
      outcome: 'APPLIED',
      body,
    },
  ]);
  expect(await findSms(database.db, id)).toMatchObject({
    deliveryState: 'failed',
    deliveryStatus: 'Failed',
    deliveryReason: 'DeliveryFailure',
    network: 'Airtel',
  });
});

test('a message that the network could not deliver has FAILED, and what it cost stays charged', async () => {
  const { id, providerMessageId } = await send();
  const before = await smsSpend(database.db);
  await report(database.db, {
    state: 'rejected',
    status: 'Rejected',
    providerMessageId,
    reason: 'UserInBlackList',
    explanation: 'The customer has opted out.',
  });
  expect(await findSms(database.db, id)).toMatchObject({
    status: 'FAILED',
    phase: 'DONE',
    errorCode: 'undelivered',
    errorMessage: 'The network reported Rejected, UserInBlackList. The customer has opted out.',
    cost: '0.8000',
  });
  expect(await smsSpend(database.db)).toEqual(before);
});

test('without a reason that is listed the error has the provider’s words alone', async () => {
  const { id, providerMessageId } = await send();
  await report(database.db, { state: 'failed', status: 'Lost', providerMessageId, reason: 'Quantum' });
  expect(await findSms(database.db, id)).toMatchObject({
    errorMessage: 'The network reported Lost, Quantum.',
  });
});

test('one that is delivered after all is SENT again', async () => {
  const { id, providerMessageId } = await send();
  await report(database.db, { state: 'failed', providerMessageId });
  await report(database.db, { state: 'delivered', providerMessageId });
  expect(await findSms(database.db, id)).toMatchObject({
    status: 'SENT',
    errorCode: null,
    deliveryState: 'delivered',
  });
});

test.for([
  ['unknown', 0, 'SENT'],
  ['accepted', 10, 'SENT'],
  ['submitted', 20, 'SENT'],
  ['buffered', 30, 'SENT'],
  ['absent', 40, 'SENT'],
  ['rejected', 60, 'FAILED'],
  ['failed', 61, 'FAILED'],
  ['expired', 62, 'FAILED'],
  ['delivered', 100, 'SENT'],
] as const)('%s has the rank %i and leaves the message %s', async ([state, rank, expected]) => {
  const { id, providerMessageId } = await send();
  expect(await valueOf(sql, 'SELECT services.delivery_rank($1)', [state])).toBe(rank);
  await report(database.db, { state, providerMessageId });
  const sms = await findSms(database.db, id);
  expect(sms).toMatchObject({ status: expected, deliveryState: state, deliveryStatus: wordOf(state) });
  expect(sms?.deliveredAt !== null).toBe(state === 'delivered');
});

test('a state that is not ours is refused, so that no provider’s word gets in', async () => {
  const { id, providerMessageId } = await send();
  const state = 'Success' as DeliveryState;
  await expect(report(database.db, { state, providerMessageId })).rejects.toThrow(DaftariError);
  expect(await findSms(database.db, id)).toMatchObject({ deliveryState: null });
});

test('a word that nobody knows is kept, and gives way to any that is known', async () => {
  const { id, providerMessageId } = await send();
  const odd = { state: 'unknown', status: 'Zorked', providerMessageId } as const;
  expect(await report(database.db, odd)).toMatchObject({ outcome: 'APPLIED' });
  expect(await findSms(database.db, id)).toMatchObject({ status: 'SENT', deliveryStatus: 'Zorked' });
  await report(database.db, { state: 'accepted', providerMessageId });
  expect(await findSms(database.db, id)).toMatchObject({ deliveryState: 'accepted' });
  expect(await report(database.db, odd)).toMatchObject({ outcome: 'STALE' });
});

test('a repeated report is kept and changes nothing', async () => {
  const { id, providerMessageId } = await send();
  await report(database.db, { state: 'delivered', providerMessageId });
  const before = await findSms(database.db, id);
  expect(await report(database.db, { state: 'delivered', providerMessageId })).toMatchObject({
    outcome: 'STALE',
    smsId: id,
  });
  expect(await findSms(database.db, id)).toEqual(before);
});

test.for([
  [{ providerMessageId: null, state: 'delivered' }],
  [{ providerMessageId: ' ', state: 'delivered' }],
  [{ providerMessageId: 'ATXid_1', state: null, status: 'Success' }],
  [{ providerMessageId: 'ATXid_1', status: ' ' }],
  [{ providerMessageId: null, state: null }],
] as const)('a report with too few readable fields is quarantined: %j', async ([facts]) => {
  const recorded = await report(database.db, { state: 'delivered', ...facts });
  expect(recorded).toMatchObject({ outcome: 'QUARANTINED', smsId: null });
});

test('what a stranger writes is stored, whatever it is', async () => {
  const recorded = await report(database.db, {
    state: 'unknown',
    status: 'S\0'.repeat(200),
    providerMessageId: `\ud800${newMessageId()}`,
    reason: 'r'.repeat(500),
    explanation: 'e'.repeat(500),
    network: 'n'.repeat(500),
    retryCount: 2 ** 40,
    phone: '2547 ***** 126',
  });
  expect(recorded).toMatchObject({ outcome: 'PARKED' });
});

test('a report about another number than the message’s is kept and not believed', async () => {
  const { id, providerMessageId } = await send();
  expect(
    await report(database.db, { state: 'failed', providerMessageId, phone: '+254799999999' }),
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
  expect(await report(database.db, { state: 'delivered', providerMessageId })).toMatchObject({
    outcome: 'AMBIGUOUS',
  });
  expect(
    await report(database.db, { state: 'delivered', providerMessageId, phone: second.recipient }),
  ).toMatchObject({
    outcome: 'APPLIED',
    smsId: second.id,
  });
  expect(await findSms(database.db, first.id)).toMatchObject({ deliveryStatus: null });
  expect(await findSms(database.db, second.id)).toMatchObject({ deliveryState: 'delivered' });
});

test('an id means nothing without its provider', async () => {
  const { providerMessageId } = await send();
  expect(
    await report(database.db, { provider: 'other', state: 'delivered', providerMessageId }),
  ).toMatchObject({
    outcome: 'PARKED',
  });
});

test('a report resolves a message of unknown outcome whose id is known', async () => {
  const message = await claimNew(database.db);
  const providerMessageId = newMessageId();
  const { id, attempt } = message;
  await settleSms(database.db, [{ id, attempt, outcome: 'unknown', providerMessageId }]);
  await report(database.db, { state: 'unknown', providerMessageId });
  expect(await findSms(database.db, id)).toMatchObject({ phase: 'UNKNOWN' });
  await report(database.db, { state: 'submitted', providerMessageId });
  expect(await findSms(database.db, id)).toMatchObject({ status: 'SENT', phase: 'DONE', errorCode: null });
});

test('a report that the provider has it stops a retry', async () => {
  const message = await claimNew(database.db);
  const providerMessageId = newMessageId();
  const { id, attempt } = message;
  await settleSms(database.db, [{ id, attempt, outcome: 'retry', providerMessageId, retryAfterMs: 0 }]);
  await report(database.db, { state: 'delivered', providerMessageId });
  expect((await claim(database.db)).messages).toEqual([]);
  expect(await findSms(database.db, id)).toMatchObject({ status: 'SENT' });
});

test('a report about an earlier attempt leaves a request that is under way to its own answer', async () => {
  const { id, attempt } = await claimNew(database.db);
  const providerMessageId = newMessageId();
  await settleSms(database.db, [{ id, attempt, outcome: 'unknown', providerMessageId }]);
  await decideSms(database.db, { id, decision: 'send_again', decidedBy: 'amina', note: 'no report' });
  await claim(database.db);
  expect(await report(database.db, { state: 'failed', providerMessageId })).toMatchObject({
    outcome: 'APPLIED',
  });
  expect(await findSms(database.db, id)).toMatchObject({ phase: 'SENDING', deliveryState: 'failed' });
  await settleSms(database.db, [accepted({ id, attempt: 2 })]);
  expect(await findSms(database.db, id)).toMatchObject({ status: 'SENT', deliveryStatus: null });
});
