import { expect, test } from 'vitest';
import { createDb } from '../connection/db.ts';
import { laneOf } from '../lanes.ts';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { sampleTransfer } from '../testing/ledger/requests.ts';
import { connect, useTestDb, valueOf } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';
import { createTransferIntake } from './transfers.ts';
import type { Transfer } from './transfers.ts';

const database = useTestDb();
const { sql } = database;

async function pair(): Promise<{ from: string; to: string }> {
  return { from: await openFunded(database, '1000.00'), to: await openCustomer(database.db) };
}

/** How many database transactions wrote the money that a wallet received. */
async function transactionsInto(wallet: string): Promise<unknown> {
  return valueOf(
    sql,
    'SELECT count(DISTINCT xact_id)::integer FROM core.transactions WHERE credit_wallet_id = $1',
    [wallet],
  );
}

test('what many callers ask for at the same time is committed together', async () => {
  const { from, to } = await pair();
  const intake = createTransferIntake(database.db);
  const posted = await Promise.all(
    Array.from({ length: 300 }, () => intake.transfer(sampleTransfer({ from, to, amount: '1.00' }))),
  );
  expect(new Set(posted.map(({ reference }) => reference)).size).toBe(300);
  // In the order in which they asked.
  expect(posted.map(({ balanceAfter }) => balanceAfter)).toEqual(
    Array.from({ length: 300 }, (_, i) => `${999 - i}.00`),
  );
  expect(await transactionsInto(to)).toBe(1);
  await intake.close();
});

test('refused transfers get their refusals, and those beside them are done', async () => {
  const { from, to } = await pair();
  const intake = createTransferIntake(database.db);
  const requests: Transfer[] = [
    sampleTransfer({ from, to, amount: '1.00' }),
    sampleTransfer({ from, to, amount: '0' }),
    sampleTransfer({ from: to, to: from, amount: '5.00' }),
    sampleTransfer({ from, to: 'NOBODY' }),
    sampleTransfer({ from, to: '' }),
    { ...sampleTransfer({ from, to }), to: undefined as unknown as string },
    sampleTransfer({ from, to, amount: '2.00' }),
  ];
  const settled = await Promise.allSettled(requests.map((request) => intake.transfer(request)));
  const codes = settled.map((one) =>
    one.status === 'rejected' ? (one.reason as { code: string }).code : 'done',
  );
  expect(codes).toEqual([
    'done',
    'invalid_amount',
    'insufficient_funds',
    'unknown_wallet',
    'invalid_request',
    'invalid_request',
    'done',
  ]);
  expect(await balanceOf(sql, to)).toBe('3.00');
  await intake.close();
});

test('a poisonous transfer fails alone, wherever it stands in the batch', async () => {
  const { from, to } = await pair();
  const intake = createTransferIntake(database.db);
  const many = Array.from({ length: 33 }, () => sampleTransfer({ from, to, amount: '1.00' }));
  // What the database refuses and no check of ours foresees fails the statement as a whole.
  await sql(`
    CREATE FUNCTION public.refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'poison'; END $$;
    CREATE TRIGGER poison BEFORE INSERT ON core.transactions FOR EACH ROW
      WHEN (NEW.narrative = 'poison') EXECUTE FUNCTION public.refuse_poison()`);
  const poison = sampleTransfer({ from, to, narrative: 'poison' });
  many.splice(20, 0, poison);
  const settled = await Promise.allSettled(many.map((request) => intake.transfer(request)));
  const failed = settled.flatMap((one, i) => (one.status === 'rejected' ? [{ i, reason: one.reason }] : []));
  expect(failed).toMatchObject([{ i: 20, reason: { code: 'request_failed' } }]);
  expect(await balanceOf(sql, to)).toBe('33.00');
  await intake.close();
});

test('one key that many callers of one intake use at once is done once and answered to all', async () => {
  const { from, to } = await pair();
  const intake = createTransferIntake(database.db);
  const request = sampleTransfer({ from, to });
  const posted = await Promise.all(Array.from({ length: 50 }, () => intake.transfer(request)));
  expect(new Set(posted.map(({ reference }) => reference)).size).toBe(1);
  expect(posted.filter(({ replayed }) => !replayed)).toHaveLength(1);
  expect(await balanceOf(sql, to)).toBe('10.00');
  await intake.close();
});

test('two intakes of two processes that share keys do each request once', async () => {
  const { from, to } = await pair();
  const second = createDb({ url: database.url });
  const intakes = [createTransferIntake(database.db), createTransferIntake(second)];
  const requests = Array.from({ length: 40 }, () => sampleTransfer({ from, to, amount: '1.00' }));
  const posted = await Promise.all(
    intakes.flatMap((intake, i) =>
      (i === 0 ? requests : requests.toReversed()).map((request) => intake.transfer(request)),
    ),
  );
  expect(new Set(posted.map(({ reference }) => reference)).size).toBe(40);
  expect(await balanceOf(sql, to)).toBe('40.00');
  await Promise.all(intakes.map((intake) => intake.close()));
  await second.close();
});

test('a closed intake answers what it has accepted and accepts nothing new', async () => {
  const { from, to } = await pair();
  const intake = createTransferIntake(database.db, { maxBatch: 5 });
  const taken = Array.from({ length: 23 }, () =>
    intake.transfer(sampleTransfer({ from, to, amount: '1.00' })),
  );
  const closed = intake.close();
  expect(await refusalOf(intake.transfer(sampleTransfer({ from, to })))).toBe('intake_closed');
  await closed;
  expect(intake.depth).toBe(0);
  expect((await Promise.all(taken)).every(({ replayed }) => !replayed)).toBe(true);
  expect(await balanceOf(sql, to)).toBe('23.00');
});

test('an intake that holds as much as it may refuses at once and does what it holds', async () => {
  const { from, to } = await pair();
  const intake = createTransferIntake(database.db, { maxQueue: 3, maxBatch: 1 });
  const blocker = await connect(database.url);
  await blocker.query('BEGIN');
  await blocker.query('SELECT 1 FROM core.wallets WHERE id = $1 FOR UPDATE', [from]);
  const taken = Array.from({ length: 3 }, () =>
    intake.transfer(sampleTransfer({ from, to, amount: '1.00' })),
  );
  expect(await refusalOf(intake.transfer(sampleTransfer({ from, to })))).toBe('queue_full');
  await blocker.query('COMMIT');
  await Promise.all(taken);
  expect(await balanceOf(sql, to)).toBe('3.00');
  await intake.close();
  await blocker.end();
});

/** Wallets of customers that are dealt to different ones of two lanes. */
async function payeesApart(): Promise<[string, string]> {
  const first = await openCustomer(database.db);
  for (;;) {
    const other = await openCustomer(database.db);
    if (laneOf(other) % 2 !== laneOf(first) % 2) return [first, other];
  }
}

/** More than go together however many lanes there are. */
const MANY = 80;

test('transfers into one wallet keep their order in lanes, and money that runs out is refused to the last ones', async () => {
  const payees = await payeesApart();
  const from = await openFunded(database, '100.00');
  const alone = await openFunded(database, '100.00');
  const intake = createTransferIntake(database.db, { lanes: 2, maxBatch: 7 });
  const [into, spent] = await Promise.all([
    Promise.all(
      Array.from({ length: MANY }, (_, i) =>
        intake.transfer(sampleTransfer({ from, to: payees[i % 2] ?? '', amount: '1.00' })),
      ),
    ),
    Promise.allSettled(
      Array.from({ length: MANY }, () =>
        intake.transfer(sampleTransfer({ from: alone, to: payees[0], amount: '2.00' })),
      ),
    ),
  ]);
  expect(spent.map(({ status }) => status)).toEqual([
    ...Array<string>(50).fill('fulfilled'),
    ...Array<string>(MANY - 50).fill('rejected'),
  ]);
  const versions = await sql(
    `SELECT t.reference FROM core.transactions t WHERE t.credit_wallet_id = $1 ORDER BY t.credit_version`,
    [payees[1]],
  );
  expect(versions.map(({ reference }) => reference)).toEqual(
    into.filter((_, i) => i % 2 === 1).map(({ reference }) => reference),
  );
  expect(await balanceOf(sql, from)).toBe('20.00');
  await intake.close();
});

test('one key for payees of two lanes is done for one of them, and the other is told that it was used', async () => {
  const payees = await payeesApart();
  const from = await openFunded(database, '1000.00');
  const intake = createTransferIntake(database.db, { lanes: 2 });
  for (let round = 0; round < 5; round += 1) {
    const { idempotencyKey } = sampleTransfer({ from, to: payees[0] });
    const others = Array.from({ length: MANY }, (_, i) =>
      intake.transfer(sampleTransfer({ from, to: payees[i % 2] ?? '', amount: '1.00' })),
    );
    const told = await Promise.allSettled(
      payees.map((to) => intake.transfer(sampleTransfer({ from, to, amount: '3.00', idempotencyKey }))),
    );
    const codes = told.map((one) =>
      one.status === 'rejected' ? (one.reason as { code: string }).code : 'done',
    );
    expect(codes.toSorted()).toEqual(['done', 'key_reused']);
    await Promise.all(others);
  }
  expect(await balanceOf(sql, from)).toBe(`${String(1_000 - 5 * (MANY + 3))}.00`);
  await intake.close();
});

test('customers who pay each other in every direction wait for each other in no circle', async () => {
  const wallets = await Promise.all(Array.from({ length: 12 }, () => openFunded(database, '1000.00')));
  const intake = createTransferIntake(database.db, { lanes: 4, maxBatch: 40 });
  const at = (place: number) => wallets[place % wallets.length] ?? '';
  const posted = await Promise.all(
    Array.from({ length: 600 }, (_, i) =>
      intake.transfer(
        sampleTransfer({ from: at(i), to: at(i + 1 + (i % (wallets.length - 1))), amount: '1.00' }),
      ),
    ),
  );
  expect(new Set(posted.map(({ reference }) => reference)).size).toBe(600);
  const [row] = await sql(`SELECT sum(balance)::text AS sum FROM core.wallets WHERE id = ANY ($1)`, [
    wallets,
  ]);
  expect(row).toEqual({ sum: '12000.00' });
  await intake.close();
});

test('after all of this the ledger is sound', async () => {
  expect(await ledgerFaults(sql)).toEqual([]);
});
