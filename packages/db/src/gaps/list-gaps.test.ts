import { expect, test } from 'vitest';
import { recordDeposits } from '../deposits/record-deposits.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { openCustomer } from '../testing/database/wallet-fixtures.ts';
import { findGaps } from './list-gaps.ts';

const database = useTestDb();
const { sql } = database;

const HOUR_MS = 3_600_000;
const WEEK_MS = 168 * HOUR_MS;

/** An hour of today's that is over, and late callbacks of which have come. */
const HOUR = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 3 * HOUR_MS;

/** Payments that were made, and recorded, in the hour that begins at a moment. */
async function payIn(hour: number, { shortCode, payments }: { shortCode: string; payments: number }) {
  const account = await openCustomer(database.db);
  const deposits = Array.from({ length: payments }, (_, place) =>
    sampleDeposit({ account, shortCode, paidAt: new Date(hour + place * 60_000) }),
  );
  await recordDeposits(database.db, deposits);
  // Recorded when they were paid: past the guards, as a superuser can, on every node that has some.
  await sql('BEGIN');
  await sql('SET LOCAL session_replication_role = replica');
  await sql(`UPDATE services.mpesa_logs SET created_at = paid_at WHERE short_code = $1`, [shortCode]);
  await sql('COMMIT');
}

const silences = async (shortCode: string) =>
  (await findGaps(database.db, { kind: 'silence', shortCode })).map(({ from, to, usual }) => ({
    from: from.getTime(),
    to: to.getTime(),
    usual,
  }));

test('an hour without a payment that had some in the weeks before is told of, with the least of them', async () => {
  for (const [back, payments] of [9, 7, 12].entries()) {
    await payIn(HOUR - (back + 1) * WEEK_MS, { shortCode: '600101', payments });
  }
  expect(await silences('600101')).toEqual([{ from: HOUR, to: HOUR + HOUR_MS, usual: 7 }]);
});

test('neighbouring hours are one silence, and a payment in one of them ends it there', async () => {
  for (const hour of [HOUR, HOUR - HOUR_MS]) {
    await payIn(hour - WEEK_MS, { shortCode: '600102', payments: 6 });
    await payIn(hour - 2 * WEEK_MS, { shortCode: '600102', payments: 6 });
  }
  expect(await silences('600102')).toEqual([{ from: HOUR - HOUR_MS, to: HOUR + HOUR_MS, usual: 12 }]);
  await payIn(HOUR, { shortCode: '600102', payments: 1 });
  expect(await silences('600102')).toEqual([{ from: HOUR - HOUR_MS, to: HOUR, usual: 6 }]);
});

test('a week without any payment at that time makes no habit, nor do payments five weeks ago', async () => {
  await payIn(HOUR - WEEK_MS, { shortCode: '600103', payments: 9 });
  await payIn(HOUR - 5 * WEEK_MS, { shortCode: '600103', payments: 9 });
  expect(await silences('600103')).toEqual([]);
});
