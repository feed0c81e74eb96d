import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import type { DeliveryState } from './delivery-reports.ts';
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
  readonly state: DeliveryState;
  readonly reason: string | null;
  readonly network: string | null;
  readonly whose: 'right' | 'wrong' | null;
}

const RANKS = {
  unknown: 0,
  accepted: 10,
  submitted: 20,
  buffered: 30,
  absent: 40,
  rejected: 60,
  failed: 61,
  expired: 62,
  delivered: 100,
} as const satisfies Record<DeliveryState, number>;

const events: fc.Arbitrary<Event[]> = fc.array(
  fc.record({
    state: fc.constantFrom(...(Object.keys(RANKS) as DeliveryState[])),
    reason: fc.constantFrom(null, 'DeliveryFailure', 'UserInBlackList'),
    network: fc.constantFrom(null, 'Airtel', 'Safaricom'),
    whose: fc.constantFrom<Event['whose'][]>('right', 'wrong', null, null),
  }),
  { maxLength: 6 },
);

/** What must come out of the reports, whatever their order, computed the plain way. */
function endOf(reports: readonly Event[], outcome: SmsOutcome): object {
  const ours = reports.filter(({ whose }) => whose !== 'wrong');
  const last = (key: (event: Event) => string, among: readonly Event[]) =>
    among.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)).at(-1);
  const rankOf = ({ state }: Event) => String(RANKS[state]).padStart(3, '0');
  const best = last((event) => `${rankOf(event)} ${event.reason ?? ''}`, ours);
  const named = ours.filter(({ network }) => network !== null);
  const network = last((event) => `${rankOf(event)} ${event.network ?? ''}`, named)?.network ?? null;
  const rank = best === undefined ? 0 : RANKS[best.state];
  const isDone = outcome === 'accepted' || rank > 0;
  const isLost = rank >= 60 && rank < 100;
  return {
    phase: isDone ? 'DONE' : 'UNKNOWN',
    status: !isDone ? 'PENDING' : isLost ? 'FAILED' : 'SENT',
    deliveryState: best?.state ?? null,
    deliveryReason: best?.reason ?? null,
    network,
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
        const { state, reason, network, whose } = event;
        const phone = whose === null ? null : whose === 'right' ? recipient : '254788888888';
        await report(database.db, { state, reason, network, phone, providerMessageId });
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
    const reporting = report(database.db, { state: 'delivered', providerMessageId });
    await untilWaiting(database.url, 1);
    await run('COMMIT');
    expect(await reporting).toMatchObject({ outcome: 'APPLIED', smsId: id });
  } finally {
    await other.end();
  }
  expect(await findSms(database.db, id)).toMatchObject({ status: 'SENT', deliveryState: 'delivered' });
});

test('an answer that comes while a report is being recorded waits for it, and joins it', async () => {
  const message = await claimNew(database.db);
  const providerMessageId = newMessageId();
  const other = await connect(database.url);
  try {
    const run = sqlOf(other);
    await run('BEGIN');
    await run(
      `SELECT * FROM services.record_delivery_report('at', $1, 'delivered', 'ok', NULL, NULL, NULL, NULL, NULL, '')`,
      [providerMessageId],
    );
    const settling = settleSms(database.db, [accepted(message, { providerMessageId })]);
    await untilWaiting(database.url, 1);
    await run('COMMIT');
    expect(await settling).toMatchObject([{ result: 'settled' }]);
  } finally {
    await other.end();
  }
  expect(await findSms(database.db, message.id)).toMatchObject({ deliveryState: 'delivered' });
});

test('answers and reports of many ids that truly meet miss nothing, and nobody waits in a circle', async () => {
  const deadlocks = 'SELECT deadlocks::integer FROM pg_stat_database WHERE datname = current_database()';
  for (let round = 0; round < 5; round += 1) {
    const batch = [];
    for (let i = 0; i < 20; i += 1) {
      batch.push(accepted(await claimNew(database.db), { providerMessageId: newMessageId() }));
    }
    const reports = batch.map(({ providerMessageId }) =>
      report(database.db, { state: 'delivered', providerMessageId: providerMessageId ?? '' }),
    );
    const halves = [batch.slice(0, 10), batch.slice(10).toReversed()];
    await Promise.all([...reports, ...halves.map((half) => settleSms(database.db, half))]);
    for (const { id } of batch) {
      expect(await findSms(database.db, id)).toMatchObject({ status: 'SENT', deliveryState: 'delivered' });
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
