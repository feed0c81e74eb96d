import { beforeEach, expect, test } from 'vitest';
import { findSms, smsHistory } from './messages.ts';
import type { ClaimedSms } from './claims.ts';
import { smsSpend } from './costs.ts';
import { settleSms } from './settlements.ts';
import type { SmsSettlement } from './settlements.ts';
import { accepted, claim, claimNew, drain, newMessageId, report } from '../testing/sms/messages.ts';
import { throughDoor, useTestDb, valueOf } from '../testing/database/test-db.ts';

const database = useTestDb();
const { sql } = database;

beforeEach(async () => {
  await drain(sql);
  await throughDoor(sql, 'UPDATE services.sms_spend SET cost = 0, messages = 0, parts = 0');
});

async function spent(currency = 'KES'): Promise<string> {
  return (await smsSpend(database.db)).find((spend) => spend.currency === currency)?.cost ?? '0.0000';
}

function plain({ id, attempt }: ClaimedSms): { id: string; attempt: number } {
  return { id, attempt };
}

test('what the provider accepted is SENT with its id, cost, parts and the text as it left', async () => {
  const message = await claimNew(database.db);
  const providerMessageId = newMessageId();
  const settlement = accepted(message, {
    providerMessageId,
    cost: '1.6000',
    parts: 2,
    message: 'Hello, plain',
  });
  expect(await settleSms(database.db, [settlement])).toEqual([
    { id: message.id, result: 'settled', status: 'SENT' },
  ]);
  const sms = await findSms(database.db, message.id);
  expect(sms).toMatchObject({
    status: 'SENT',
    phase: 'DONE',
    providerMessageId,
    cost: '1.6000',
    currency: 'KES',
    parts: 2,
    expectedParts: 1,
    encoding: 'GSM-7',
    message: 'Hello, plain',
    errorCode: null,
    errorMessage: null,
  });
  expect(sms?.sentAt).toEqual(sms?.claimedAt);
  expect(sms?.settledAt).toBeInstanceOf(Date);
  expect(await smsHistory(database.db, message.id)).toEqual([]);
  expect(await smsSpend(database.db)).toMatchObject([
    { currency: 'KES', messages: 1, parts: 2, cost: '1.6000' },
  ]);
});

test('what the provider refused is FAILED at once, with its code and its words', async () => {
  const message = await claimNew(database.db);
  const errorMessage = 'The number is on a blacklist; the holder must write to *456*9#.';
  await settleSms(database.db, [
    {
      ...plain(message),
      outcome: 'refused',
      errorCode: 'blacklisted',
      errorMessage,
      cost: '0',
      providerMessageId: ' ',
    },
  ]);
  expect(await findSms(database.db, message.id)).toMatchObject({
    status: 'FAILED',
    errorCode: 'blacklisted',
    errorMessage,
    cost: '0.0000',
    currency: null,
    providerMessageId: null,
    sentAt: null,
  });
});

test('a refusal without a code says so all the same', async () => {
  const message = await claimNew(database.db);
  await settleSms(database.db, [{ ...plain(message), outcome: 'refused' }]);
  expect(await findSms(database.db, message.id)).toMatchObject({ status: 'FAILED', errorCode: 'refused' });
});

test('a retry comes back after its delay, with its attempts counted and the last error in the row', async () => {
  const message = await claimNew(database.db);
  await settleSms(database.db, [
    {
      ...plain(message),
      outcome: 'retry',
      errorCode: 'throttled',
      errorMessage: 'Too many requests',
      retryAfterMs: 0,
    },
  ]);
  expect(await findSms(database.db, message.id)).toMatchObject({
    phase: 'QUEUED',
    status: 'PENDING',
    attempts: 1,
    errorCode: 'throttled',
  });
  expect((await claim(database.db)).messages).toMatchObject([{ id: message.id, attempt: 2 }]);
  expect(await smsHistory(database.db, message.id)).toMatchObject([
    { kind: 'RETRY', attempt: 1, detail: 'retry, throttled, Too many requests' },
  ]);
});

test('an unknown outcome waits for a report or a person', async () => {
  const message = await claimNew(database.db);
  await settleSms(database.db, [{ ...plain(message), outcome: 'unknown', errorCode: 'timeout' }]);
  expect(await findSms(database.db, message.id)).toMatchObject({
    phase: 'UNKNOWN',
    status: 'PENDING',
    errorCode: 'timeout',
  });
  expect(await claim(database.db)).toMatchObject({ messages: [], nextDueMs: null });
});

test('an answer that is recorded twice counts once', async () => {
  const settlement = accepted(await claimNew(database.db));
  const { id } = settlement;
  expect(await settleSms(database.db, [settlement, settlement])).toEqual([
    { id, result: 'settled', status: 'SENT' },
    { id, result: 'ignored', status: 'SENT' },
  ]);
  expect(await settleSms(database.db, [settlement])).toEqual([{ id, result: 'ignored', status: 'SENT' }]);
  expect(await spent()).toBe('0.8000');
});

test('a settlement of an unclaimed message or an unknown attempt is ignored', async () => {
  const message = await claimNew(database.db);
  const stranger = '01990000-0000-7000-8000-000000000000';
  const results = await settleSms(database.db, [
    accepted({ id: stranger, attempt: 1 }),
    accepted({ id: message.id, attempt: 2 }),
    accepted({ id: message.id, attempt: 0 }),
  ]);
  expect(results.map(({ result }) => result)).toEqual(['ignored', 'ignored', 'ignored']);
  expect(results.map(({ status }) => status)).toEqual([null, 'PENDING', 'PENDING']);
  expect(await spent()).toBe('0.0000');
});

test('an answer of an attempt before the last, which was settled as a retry, is ignored', async () => {
  const message = await claimNew(database.db);
  await settleSms(database.db, [{ ...plain(message), outcome: 'retry' }]);
  await claim(database.db);
  expect(await settleSms(database.db, [accepted(message)])).toMatchObject([{ result: 'ignored' }]);
  expect(await spent()).toBe('0.0000');
});

test('costs are exact to four decimals over many messages, per currency', async () => {
  const settlements = [];
  for (let i = 0; i < 30; i += 1) {
    const message = await claimNew(database.db);
    settlements.push(accepted(message, { cost: '0.0001', currency: i % 3 === 0 ? 'USD' : 'KES' }));
  }
  await settleSms(database.db, settlements);
  expect([await spent('KES'), await spent('USD')]).toEqual(['0.0020', '0.0010']);
  const sums = await sql(
    `SELECT currency, sum(cost)::text AS cost FROM services.sms_logs WHERE id = ANY ($1) GROUP BY 1 ORDER BY 1`,
    [settlements.map(({ id }) => id)],
  );
  expect(sums).toEqual([
    { currency: 'KES', cost: '0.0020' },
    { currency: 'USD', cost: '0.0010' },
  ]);
});

test('a cost without a currency is booked as having none', async () => {
  await settleSms(database.db, [accepted(await claimNew(database.db), { cost: '0.5', currency: null })]);
  expect(await spent('XXX')).toBe('0.5000');
});

test.for([
  ['2026-03-01T20:59:59.999', '2026-03-01'],
  ['2026-03-01T21:00:00.000', '2026-03-02'],
  ['2025-12-31T21:00:00.000', '2026-01-01'],
])(
  'what is charged at %s UTC belongs to %s in Nairobi, whatever the session’s time zone',
  async ([at, day]) => {
    await sql(`SET TIME ZONE 'America/New_York'`);
    await sql(`SELECT services.add_sms_spend($1, ARRAY['TZS'], ARRAY[1], ARRAY[1], ARRAY[1.5])`, [at]);
    await sql('RESET TIME ZONE');
    expect(
      await valueOf(sql, `SELECT cost::text FROM services.sms_spend WHERE day = $1 AND currency = 'TZS'`, [
        day,
      ]),
    ).toBe('1.5000');
  },
);

test('a report that came before the answer is joined by the answer', async () => {
  const message = await claimNew(database.db);
  const providerMessageId = newMessageId();
  expect(
    await report(database.db, { state: 'delivered', providerMessageId, network: 'Safaricom' }),
  ).toMatchObject({
    outcome: 'PARKED',
    smsId: null,
  });
  await settleSms(database.db, [accepted(message, { providerMessageId })]);
  const sms = await findSms(database.db, message.id);
  expect(sms).toMatchObject({ status: 'SENT', deliveryState: 'delivered', network: 'Safaricom' });
  expect(sms?.deliveredAt).toBeInstanceOf(Date);
});

test('a provider that takes no hashes leaves the message FAILED with that reason', async () => {
  const message = await claimNew(database.db, { recipient: 'cd'.repeat(32) });
  await settleSms(database.db, [{ ...plain(message), outcome: 'refused', errorCode: 'hash_not_accepted' }]);
  expect(await findSms(database.db, message.id)).toMatchObject({
    status: 'FAILED',
    errorCode: 'hash_not_accepted',
  });
});

test('words of a provider that no column could hold are cut or cleaned, and settle all the same', async () => {
  const message = await claimNew(database.db);
  const settlement = accepted(message, {
    outcome: 'refused',
    errorCode: 'x'.repeat(100),
    errorMessage: 'a\0b\ud800',
    providerMessageId: 'i'.repeat(400),
  });
  expect(await settleSms(database.db, [settlement])).toMatchObject([{ result: 'settled' }]);
  expect(await findSms(database.db, message.id)).toMatchObject({
    errorCode: 'x'.repeat(40),
    errorMessage: 'ab\ufffd',
  });
});

test.for([
  ['id', { id: 'x' }],
  ['attempt', { attempt: -1 }],
  ['cost', { cost: '1e3' }],
  ['cost', { cost: '0.00001' }],
  ['cost', { cost: '-1' }],
  ['currency', { currency: 'kes' }],
  ['parts', { parts: 1.5 }],
  ['retryAfterMs', { retryAfterMs: -1 }],
] as const)('a settlement whose %s cannot be is refused alone', async ([field, facts]) => {
  const message = await claimNew(database.db);
  const { id } = message;
  expect(await settleSms(database.db, [{ ...accepted(message), ...facts }, accepted(message)])).toEqual([
    { id: 'id' in facts ? facts.id : id, result: 'invalid', status: null, field },
    { id, result: 'settled', status: 'SENT' },
  ]);
});

test('nothing to settle asks the database nothing', async () => {
  expect(await settleSms(database.db, [])).toEqual([]);
});

test('the same answers recorded at once in opposite orders count once, and nobody waits in a circle', async () => {
  for (let round = 0; round < 8; round += 1) {
    const batch: SmsSettlement[] = [];
    for (let i = 0; i < 25; i += 1) batch.push(accepted(await claimNew(database.db), { cost: '0.1000' }));
    const told = await Promise.all([
      settleSms(database.db, batch),
      settleSms(database.db, batch.toReversed()),
      settleSms(database.db, batch),
    ]);
    expect(told.flat().filter(({ result }) => result === 'settled')).toHaveLength(25);
  }
  expect(await spent()).toBe('20.0000');
  expect(
    await valueOf(sql, 'SELECT deadlocks::integer FROM pg_stat_database WHERE datname = current_database()'),
  ).toBe(0);
});
