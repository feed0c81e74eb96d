import { beforeEach, expect, test } from 'vitest';
import { findSms, smsHistory } from './messages.ts';
import type { ClaimedSms } from './claims.ts';
import { expireSmsLeases } from './claims.ts';
import { smsSpend } from './costs.ts';
import { settleSms } from './settlements.ts';
import { decideSms } from './unknown.ts';
import { accepted, claim, claimNew, drain, endLeases } from '../testing/sms/messages.ts';
import { throughDoor, useTestDb } from '../testing/database/test-db.ts';

const database = useTestDb();
const { sql } = database;

beforeEach(async () => {
  await drain(sql);
  await throughDoor(sql, 'UPDATE services.sms_spend SET cost = 0, messages = 0, parts = 0');
});

async function spent(currency = 'KES'): Promise<string> {
  return (await smsSpend(database.db)).find((spend) => spend.currency === currency)?.cost ?? '0.0000';
}

/** Claims a message and lets its lease end. */
async function lose(): Promise<ClaimedSms> {
  const message = await claimNew(database.db);
  await endLeases(sql, message.id);
  await expireSmsLeases(database.db);
  return message;
}

function plain({ id, attempt }: ClaimedSms): { id: string; attempt: number } {
  return { id, attempt };
}

test('an answer that comes after the lease resolves the message and is booked', async () => {
  const message = await lose();
  expect(await settleSms(database.db, [accepted(message)])).toMatchObject([
    { result: 'late', status: 'SENT' },
  ]);
  expect(await findSms(database.db, message.id)).toMatchObject({
    phase: 'DONE',
    cost: '0.8000',
    errorCode: null,
  });
  expect((await smsHistory(database.db, message.id)).map(({ kind }) => kind)).toEqual([
    'UNKNOWN',
    'LATE_ANSWER',
  ]);
  expect(await spent()).toBe('0.8000');
});

test('a late answer that it was not sent puts it back into the queue', async () => {
  const message = await lose();
  await settleSms(database.db, [{ ...plain(message), outcome: 'retry' }]);
  expect((await claim(database.db)).messages).toMatchObject([{ id: message.id, attempt: 2 }]);
});

test('a late answer stops what a person has put back into the queue', async () => {
  const message = await lose();
  await decideSms(database.db, {
    id: message.id,
    decision: 'send_again',
    decidedBy: 'amina',
    note: 'no report',
  });
  await settleSms(database.db, [accepted(message)]);
  expect((await claim(database.db)).messages).toEqual([]);
  expect(await findSms(database.db, message.id)).toMatchObject({
    status: 'SENT',
    cost: '0.8000',
    decidedBy: 'amina',
  });
});

test('a late answer after the next attempt has begun is booked once, and both attempts are paid for', async () => {
  const message = await lose();
  await decideSms(database.db, {
    id: message.id,
    decision: 'send_again',
    decidedBy: 'amina',
    note: 'no report',
  });
  const [again] = (await claim(database.db)).messages;
  if (again === undefined) throw new Error('it was not claimed again');
  const late = accepted(message, { cost: '0.8000' });
  const results = await settleSms(database.db, [late, late]);
  expect(results.map(({ result }) => result)).toEqual(['late', 'ignored']);
  expect(await settleSms(database.db, [late])).toMatchObject([{ result: 'ignored' }]);
  expect(await findSms(database.db, message.id)).toMatchObject({ phase: 'SENDING', cost: '0.8000' });
  await settleSms(database.db, [accepted(again, { cost: '0.8500' })]);
  expect(await findSms(database.db, message.id)).toMatchObject({ status: 'SENT', cost: '1.6500', parts: 2 });
  expect(await smsSpend(database.db)).toMatchObject([{ messages: 2, parts: 2, cost: '1.6500' }]);
});

test('a message whose second attempt was refused has not failed when the first turns out to be accepted', async () => {
  const message = await lose();
  await decideSms(database.db, {
    id: message.id,
    decision: 'send_again',
    decidedBy: 'amina',
    note: 'no report',
  });
  const [again] = (await claim(database.db)).messages;
  if (again === undefined) throw new Error('it was not claimed again');
  await settleSms(database.db, [{ ...plain(again), outcome: 'refused', errorCode: 'blacklisted' }]);
  await settleSms(database.db, [accepted(message)]);
  expect(await findSms(database.db, message.id)).toMatchObject({
    status: 'SENT',
    cost: '0.8000',
    errorCode: null,
  });
});

test('what a person took for sent is completed by the late answer, and what was refused has failed', async () => {
  const [sent, refused] = [await lose(), await lose()];
  for (const { id } of [sent, refused])
    await decideSms(database.db, { id, decision: 'sent', decidedBy: 'amina', note: 'the customer has it' });
  await settleSms(database.db, [
    accepted(sent),
    { ...plain(refused), outcome: 'refused', errorCode: 'blacklisted' },
  ]);
  expect(await findSms(database.db, sent.id)).toMatchObject({ status: 'SENT', cost: '0.8000' });
  expect(await findSms(database.db, refused.id)).toMatchObject({
    status: 'FAILED',
    errorCode: 'blacklisted',
    sentAt: null,
  });
});

test('a late answer that it was not sent does not undo a decision', async () => {
  const message = await lose();
  await decideSms(database.db, { id: message.id, decision: 'failed', decidedBy: 'amina', note: 'too late' });
  await settleSms(database.db, [{ ...plain(message), outcome: 'retry' }]);
  expect(await findSms(database.db, message.id)).toMatchObject({ status: 'FAILED', errorCode: 'given_up' });
  expect((await claim(database.db)).messages).toEqual([]);
});
