import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { findSms } from './sms.ts';
import { expireSmsLeases } from './sms-claims.ts';
import { smsSpend } from './sms-costs.ts';
import { settleSms } from './sms-settlements.ts';
import type { SmsOutcome } from './sms-settlements.ts';
import { decideSms } from './unknown-sms.ts';
import { untilWaiting } from './testing/lock-waiters.ts';
import { accepted, claim, claimNew, drain, endLeases, newMessageId, report } from './testing/sms.ts';
import { connect, sqlOf, useTestDb, valueOf } from './testing/test-db.ts';

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
])('a report of which too little can be read is quarantined: %j', async ([facts]) => {
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

interface Event {
  readonly status: string;
  readonly reason: string | null;
  readonly networkCode: string | null;
  readonly whose: 'right' | 'wrong' | null;
}

const RANKS: Readonly<Record<string, number>> = {
  Sent: 10,
  Submitted: 20,
  Buffered: 30,
  AbsentSubscriber: 40,
  Rejected: 60,
  Failed: 61,
  Expired: 62,
  Success: 100,
};

const events: fc.Arbitrary<Event[]> = fc.array(
  fc.record({
    status: fc.constantFrom(...Object.keys(RANKS), 'Borked', 'success'),
    reason: fc.constantFrom(null, 'DeliveryFailure', 'UserInBlackList'),
    networkCode: fc.constantFrom(null, '63902', '63903'),
    whose: fc.constantFrom<Event['whose'][]>('right', 'wrong', null, null),
  }),
  { maxLength: 6 },
);

/** What must come out of the reports, whatever their order, computed the plain way. */
function endOf(reports: readonly Event[], outcome: SmsOutcome): object {
  const ours = reports.filter(({ whose }) => whose !== 'wrong');
  const key = ({ status, reason }: Event) =>
    `${String(RANKS[status] ?? 0).padStart(3, '0')} ${status} ${reason ?? ''}`;
  const last = (sorted: readonly Event[]) => sorted.at(-1);
  const best = last(ours.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)));
  const named = ours.filter(({ networkCode }) => networkCode !== null);
  const network = last(
    named.toSorted((a, b) => {
      const byRank = (RANKS[a.status] ?? 0) - (RANKS[b.status] ?? 0);
      return byRank !== 0 ? byRank : Number(a.networkCode) - Number(b.networkCode);
    }),
  )?.networkCode;
  const rank = RANKS[best?.status ?? ''] ?? 0;
  const isDone = outcome === 'accepted' || rank > 0;
  const isLost = rank >= 60 && rank < 100;
  return {
    phase: isDone ? 'DONE' : 'UNKNOWN',
    status: !isDone ? 'PENDING' : isLost ? 'FAILED' : 'SENT',
    deliveryStatus: best?.status ?? null,
    deliveryReason: best?.reason ?? null,
    network: network === undefined ? null : network === '63902' ? 'Safaricom' : 'Airtel',
  };
}

test('reports and the answer to the sending lead to one end, in whatever order they come', async () => {
  const run = fc.asyncProperty(
    events,
    fc.nat(6),
    fc.constantFrom<SmsOutcome[]>('accepted', 'unknown'),
    async (reports, place, outcome) => {
      await drain(sql);
      const { id, attempt, recipient } = await claimNew(database.db);
      const providerMessageId = newMessageId();
      const arrivals: (Event | null)[] = [...reports];
      arrivals.splice(Math.min(place, reports.length), 0, null);
      for (const event of arrivals) {
        if (event === null) {
          await settleSms(database.db, [{ id, attempt, outcome, providerMessageId }]);
          continue;
        }
        const { status, reason, networkCode, whose } = event;
        const phone = whose === null ? null : whose === 'right' ? recipient : '254788888888';
        await report(database.db, { status, reason, networkCode, phone, providerMessageId });
      }
      expect(await findSms(database.db, id)).toMatchObject(endOf(reports, outcome));
    },
  );
  await fc.assert(run, { numRuns: 120 });
}, 60_000);

test('a report that comes while the answer is being recorded waits for it, and is applied', async () => {
  const { id, attempt } = await claimNew(database.db);
  const providerMessageId = newMessageId();
  const other = await connect(database.url);
  try {
    const run = sqlOf(other);
    await run('BEGIN');
    await run(
      `SELECT * FROM services.settle_sms(ARRAY[$1]::uuid[], ARRAY[$2]::int[], ARRAY['accepted'], ARRAY[$3],
        ARRAY[0.8], ARRAY['KES'], ARRAY[1], ARRAY[1], ARRAY['GSM-7'], ARRAY[NULL]::text[], ARRAY[NULL]::text[],
        ARRAY[NULL]::text[], ARRAY[0]::bigint[])`,
      [id, attempt, providerMessageId],
    );
    const reporting = report(database.db, { status: 'Success', providerMessageId });
    await untilWaiting(database.url, 1);
    await run('COMMIT');
    expect(await reporting).toMatchObject({ outcome: 'APPLIED', smsId: id });
  } finally {
    await other.end();
  }
  expect(await findSms(database.db, id)).toMatchObject({ status: 'SENT', deliveryStatus: 'Success' });
});

test('an answer that comes while a report is being recorded waits for it, and joins it', async () => {
  const message = await claimNew(database.db);
  const providerMessageId = newMessageId();
  const other = await connect(database.url);
  try {
    const run = sqlOf(other);
    await run('BEGIN');
    await run(
      `SELECT * FROM services.record_delivery_report('at', $1, 'Success', NULL, NULL, NULL, NULL, '\\x00')`,
      [providerMessageId],
    );
    const settling = settleSms(database.db, [accepted(message, { providerMessageId })]);
    await untilWaiting(database.url, 1);
    await run('COMMIT');
    expect(await settling).toMatchObject([{ result: 'settled' }]);
  } finally {
    await other.end();
  }
  expect(await findSms(database.db, message.id)).toMatchObject({ deliveryStatus: 'Success' });
});

test('answers and reports of many ids that truly meet miss nothing, and nobody waits in a circle', async () => {
  const deadlocks = 'SELECT deadlocks::integer FROM pg_stat_database WHERE datname = current_database()';
  for (let round = 0; round < 5; round += 1) {
    const batch = [];
    for (let i = 0; i < 20; i += 1) {
      batch.push(accepted(await claimNew(database.db), { providerMessageId: newMessageId() }));
    }
    const reports = batch.map(({ providerMessageId }) =>
      report(database.db, { status: 'Success', providerMessageId: providerMessageId ?? '' }),
    );
    const halves = [batch.slice(0, 10), batch.slice(10).toReversed()];
    await Promise.all([...reports, ...halves.map((half) => settleSms(database.db, half))]);
    for (const { id } of batch) {
      expect(await findSms(database.db, id)).toMatchObject({ status: 'SENT', deliveryStatus: 'Success' });
    }
  }
  expect(await valueOf(sql, deadlocks)).toBe(0);
});

test('a lease that ends while the answer is being recorded: one of the two is first, and the answer is not lost', async () => {
  for (let round = 0; round < 10; round += 1) {
    const message = await claimNew(database.db);
    await endLeases(sql, message.id);
    const [[settled], { expired }] = await Promise.all([
      settleSms(database.db, [accepted(message)]),
      expireSmsLeases(database.db),
    ]);
    expect(settled?.result).toBe(expired === 1 ? 'late' : 'settled');
    expect(await findSms(database.db, message.id)).toMatchObject({ status: 'SENT', cost: '0.8000' });
  }
});
