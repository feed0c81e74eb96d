import { beforeEach, expect, test } from 'vitest';
import { findSms, smsHistory } from './messages.ts';
import { expireSmsLeases } from './claims.ts';
import { smsSpend } from './costs.ts';
import { settleSms } from './settlements.ts';
import { transaction } from '../connection/transaction.ts';
import { decideSms, listUnknownSms } from './unknown.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import {
  accepted,
  claim,
  claimNew,
  drain,
  endLeases,
  newMessageId,
  report,
  wordOf,
} from '../testing/sms/messages.ts';
import { connect, throughDoor, useTestDb } from '../testing/database/test-db.ts';

const database = useTestDb();
const { sql } = database;
const AMINA = { decidedBy: 'amina@example.com', note: 'asked the customer' };

beforeEach(() => drain(sql));

async function lose(): Promise<{ id: string; attempt: number; recipient: string }> {
  const { id, attempt, recipient } = await claimNew(database.db);
  await endLeases(sql, id);
  await expireSmsLeases(database.db);
  return { id, attempt, recipient: recipient ?? '' };
}

test('messages of unknown outcome are listed with the reports that may be about them, and joined to none', async () => {
  const [first, second] = [await lose(), await lose()];
  const providerMessageId = newMessageId();
  const { id: reportId } = await report(database.db, {
    state: 'delivered',
    reason: 'none',
    providerMessageId,
    phone: `+${second.recipient}`,
  });
  expect(await listUnknownSms(database.db)).toMatchObject({
    messages: [
      { sms: { id: first.id, phase: 'UNKNOWN', status: 'PENDING' }, suggestions: [] },
      {
        sms: { id: second.id, deliveryStatus: null },
        suggestions: [{ reportId, providerMessageId, status: wordOf('delivered'), reason: 'none' }],
      },
    ],
    nextCursor: null,
  });
});

test('pages follow each other, also when a message before the cursor is decided meanwhile', async () => {
  const ids = [await lose(), await lose(), await lose(), await lose()].map(({ id }) => id);
  // Two of them were claimed in the same millisecond.
  const claimed = `UPDATE services.sms_logs SET claimed_at = '2026-03-01' WHERE id IN ($1, $2)`;
  await throughDoor(sql, claimed, [ids[0], ids[1]]);
  const first = await listUnknownSms(database.db, { limit: 1 });
  const [seen] = first.messages.map(({ sms }) => sms.id);
  await decideSms(database.db, { id: seen ?? '', decision: 'failed', ...AMINA });
  const second = await listUnknownSms(database.db, { limit: 1, cursor: first.nextCursor ?? '' });
  const third = await listUnknownSms(database.db, { limit: 2, cursor: second.nextCursor ?? '' });
  const found = [...first.messages, ...second.messages, ...third.messages].map(({ sms }) => sms.id);
  expect(found.slice(0, 2).toSorted()).toEqual(ids.slice(0, 2).toSorted());
  expect(found.slice(2)).toEqual(ids.slice(2));
  expect(third.nextCursor).toBeNull();
});

test.each(['', 'x', '1', '1_x', '9'.repeat(20)])('"%s" is no cursor', async (cursor) => {
  await expect(listUnknownSms(database.db, { cursor })).rejects.toMatchObject({
    code: 'invalid_request',
    field: 'cursor',
  });
});

test('reports of another time, another provider or a message that is known are not suggested', async () => {
  const { id, recipient } = await lose();
  const known = await claimNew(database.db, { recipient });
  const ofKnown = newMessageId();
  await report(database.db, { state: 'accepted', providerMessageId: ofKnown, phone: recipient });
  await settleSms(database.db, [accepted(known, { providerMessageId: ofKnown })]);
  await report(database.db, {
    state: 'accepted',
    providerMessageId: newMessageId(),
    phone: recipient,
    provider: 'other',
  });
  await throughDoor(
    sql,
    `UPDATE services.sms_logs SET claimed_at = claimed_at - interval '4 days' WHERE id = $1`,
    [id],
  );
  await report(database.db, { state: 'accepted', providerMessageId: newMessageId(), phone: recipient });
  expect(await listUnknownSms(database.db)).toMatchObject({ messages: [{ sms: { id }, suggestions: [] }] });
});

test('a person who has evidence that it was sent says so, and the reports with the provider’s id are joined', async () => {
  const { id, recipient } = await lose();
  const providerMessageId = newMessageId();
  await report(database.db, {
    state: 'delivered',
    providerMessageId,
    phone: recipient,
    network: 'Safaricom',
  });
  const before = await smsSpend(database.db);
  const decided = await decideSms(database.db, { id, decision: 'sent', ...AMINA, providerMessageId });
  expect(decided).toMatchObject({
    status: 'SENT',
    phase: 'DONE',
    deliveryState: 'delivered',
    network: 'Safaricom',
    cost: null,
    decidedBy: 'amina@example.com',
    decisionNote: 'asked the customer',
    errorCode: null,
  });
  expect(decided.sentAt).toEqual(decided.claimedAt);
  expect(await smsSpend(database.db)).toEqual(before);
  expect(await listUnknownSms(database.db)).toEqual({ messages: [], nextCursor: null });
  expect(await smsHistory(database.db, id)).toMatchObject([
    { kind: 'UNKNOWN', attempt: 1, actor: null },
    { kind: 'DECIDED', attempt: 1, actor: 'amina@example.com', detail: 'sent: asked the customer' },
  ]);
});

test('a person who has it from the provider’s books says what it cost, which is booked once', async () => {
  const { id, attempt } = await lose();
  await throughDoor(sql, 'UPDATE services.sms_spend SET cost = 0, messages = 0, parts = 0');
  const cost = { amount: '0.8000', currency: 'KES', parts: 1 };
  expect(await decideSms(database.db, { id, decision: 'sent', ...AMINA, cost })).toMatchObject({
    cost: '0.8000',
    parts: 1,
  });
  expect(await settleSms(database.db, [accepted({ id, attempt })])).toMatchObject([{ result: 'ignored' }]);
  expect(await smsSpend(database.db)).toMatchObject([
    { currency: 'KES', messages: 1, parts: 1, cost: '0.8000' },
  ]);
});

test('a message that is sent again goes out by the next claim, however old its news is', async () => {
  const { id } = await lose();
  await throughDoor(
    sql,
    `UPDATE services.sms_logs SET created_at = created_at - interval '3 days' WHERE id = $1`,
    [id],
  );
  expect(await decideSms(database.db, { id, decision: 'send_again', ...AMINA })).toMatchObject({
    status: 'PENDING',
    phase: 'QUEUED',
    settledAt: null,
  });
  expect((await claim(database.db)).messages).toMatchObject([{ id, attempt: 2 }]);
});

test('a message that is given up is FAILED and says by whom', async () => {
  const { id } = await lose();
  expect(await decideSms(database.db, { id, decision: 'failed', ...AMINA })).toMatchObject({
    status: 'FAILED',
    phase: 'DONE',
    errorCode: 'given_up',
    decidedBy: 'amina@example.com',
    sentAt: null,
  });
});

test('nothing is decided of what is not unknown, nor twice', async () => {
  const { id } = await claimNew(database.db);
  const decide = (sms: string) => decideSms(database.db, { id: sms, decision: 'send_again', ...AMINA });
  await expect(decide(id)).rejects.toMatchObject({ code: 'nothing_to_decide' });
  const lost = await lose();
  await decide(lost.id);
  await expect(decide(lost.id)).rejects.toMatchObject({ code: 'nothing_to_decide' });
  await expect(decide('01990000-0000-7000-8000-000000000000')).rejects.toMatchObject({ code: 'unknown_sms' });
  await expect(decide('x')).rejects.toMatchObject({ code: 'unknown_sms' });
});

test.for([
  ['decidedBy', { decidedBy: '' }],
  ['note', { note: '' }],
  ['providerMessageId', { providerMessageId: 'x'.repeat(256) }],
  ['cost', { cost: { amount: '-1', currency: 'KES' } }],
  ['cost', { cost: { amount: '1', currency: 'shillings' } }],
  ['cost', { cost: { amount: '1', currency: 'KES', parts: 0.5 } }],
] as const)('a decision whose %s cannot be is refused', async ([field, facts]) => {
  const { id } = await lose();
  const deciding = decideSms(database.db, { id, decision: 'sent', ...AMINA, ...facts });
  await expect(deciding).rejects.toMatchObject({ code: 'invalid_request', field });
});

test('of two people who decide at once one is heard', async () => {
  const { id } = await lose();
  const told = await Promise.allSettled([
    decideSms(database.db, { id, decision: 'send_again', ...AMINA }),
    decideSms(database.db, { id, decision: 'failed', ...AMINA }),
  ]);
  expect(told.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  expect((await smsHistory(database.db, id)).filter(({ kind }) => kind === 'DECIDED')).toHaveLength(1);
});

test('a decision that waits for a late answer finds nothing left to decide', async () => {
  const lost = await lose();
  const settled = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const settling = transaction(database.db, async (tx) => {
    await settleSms(tx, [accepted(lost)]);
    settled.resolve();
    await released.promise;
  });
  await settled.promise;
  const deciding = decideSms(database.db, { id: lost.id, decision: 'send_again', ...AMINA }).catch(
    (error: unknown) => error,
  );
  await untilWaiting(database.url, 1);
  released.resolve();
  await settling;
  expect(await deciding).toMatchObject({ code: 'nothing_to_decide' });
  expect(await findSms(database.db, lost.id)).toMatchObject({ status: 'SENT', decidedBy: null });
});

test('a late answer that waits for the decision to send again still stops it', async () => {
  const lost = await lose();
  const other = await connect(database.url);
  try {
    await other.query('BEGIN');
    await other.query(`SELECT services.decide_sms($1, 'send_again', 'amina', 'x', NULL, NULL, NULL, NULL)`, [
      lost.id,
    ]);
    const settling = settleSms(database.db, [accepted(lost)]);
    await untilWaiting(database.url, 1);
    await other.query('COMMIT');
    expect(await settling).toMatchObject([{ result: 'late', status: 'SENT' }]);
  } finally {
    await other.end();
  }
  expect((await claim(database.db)).messages).toEqual([]);
});
