import { expect, test } from 'vitest';
import { listCallbacks } from './callback-list.ts';
import { LIST_STATEMENTS, listDeposits } from './deposit-list.ts';
import { recordDeposit, recordDeposits } from './record-deposits.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { openTestDb } from '../testing/database/test-db.ts';
import { openCustomer } from '../testing/database/wallet-fixtures.ts';

test('each page begins where the one before ended, also within one moment and while payments arrive', async () => {
  await using database = await openTestDb();
  const batch = Array.from({ length: 25 }, () => sampleDeposit());
  await recordDeposits(database.db, batch);
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof listDeposits>> = await listDeposits(database.db, {
      limit: 7,
      ...(cursor === null ? {} : { cursor }),
    });
    seen.push(...page.items.map(({ receipt }) => receipt));
    cursor = page.nextCursor;
    await recordDeposit(database.db, sampleDeposit());
  } while (cursor !== null);
  expect(seen).toEqual(batch.map(({ receipt }) => receipt).toReversed());
});

test('the lists are of the period, the outcome and the receipt that are asked for', async () => {
  await using database = await openTestDb();
  const account = await openCustomer(database.db);
  const kinds = {
    credited: { account },
    suspense: { account: '' },
    held: { account, amount: '20000000.00' },
  };
  const receipts = new Map<string, string>();
  for (const [outcome, facts] of Object.entries(kinds)) {
    const deposit = sampleDeposit(facts);
    await recordDeposit(database.db, deposit);
    receipts.set(outcome, deposit.receipt);
  }
  for (const outcome of ['credited', 'suspense', 'held'] as const) {
    const { items } = await listDeposits(database.db, { outcome });
    expect(items).toMatchObject([{ receipt: receipts.get(outcome), outcome, shortCode: '600123' }]);
  }
  expect((await listDeposits(database.db, { outcome: 'rejected' })).items).toEqual([]);
  const now = new Date();
  const [before, after] = [new Date(now.getTime() - 3_600_000), new Date(now.getTime() + 3_600_000)];
  for (const list of [listDeposits, listCallbacks]) {
    expect((await list(database.db, { from: before, to: after })).items).toHaveLength(3);
    expect((await list(database.db, { from: after })).items).toEqual([]);
    expect((await list(database.db, { to: before })).items).toEqual([]);
    expect(await refusalOf(list(database.db, { cursor: 'x' }))).toBe('invalid_request');
  }
});

test('a page of the lists reads an index from its end, and no table', async () => {
  await using database = await openTestDb();
  for (let i = 0; i < 10; i += 1) {
    await recordDeposits(
      database.db,
      Array.from({ length: 1_000 }, () => sampleDeposit()),
    );
  }
  await database.sql('ANALYZE');
  const last = ['2000-01-01', '9999-01-01', '9999-01-01', 'ffffffff-ffff-ffff-ffff-ffffffffffff'];
  for (const [statement, outcome, index] of [
    [LIST_STATEMENTS.posted, null, 'idx_mpesa_logs_created'],
    [LIST_STATEMENTS.unposted, 'held', 'idx_mpesa_logs_unposted'],
  ] as const) {
    const plan = JSON.stringify(await database.sql(`EXPLAIN ${statement.text}`, [...last, outcome, 51]));
    expect(plan).toContain(index);
    expect(plan).not.toContain('Seq Scan on mpesa_logs');
  }
  const inbox = JSON.stringify(
    await database.sql(
      `EXPLAIN SELECT id FROM services.mpesa_callbacks WHERE outcome = 'CONFLICT' AND id < $1::uuid ORDER BY id DESC LIMIT 51`,
      ['ffffffff-ffff-ffff-ffff-ffffffffffff'],
    ),
  );
  expect(inbox).toContain('idx_mpesa_callbacks_attention');
});
