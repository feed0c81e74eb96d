import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { findSms } from './messages.ts';
import { expireSmsLeases } from './claims.ts';
import { settleSms } from './settlements.ts';
import type { SmsOutcome } from './settlements.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import { accepted, claimNew, drain, endLeases, newMessageId, report } from '../testing/sms/messages.ts';
import { connect, sqlOf, useTestDb, valueOf } from '../testing/database/test-db.ts';

const database = useTestDb();
const { sql } = database;

beforeEach(() => drain(sql));

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
});

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
