import { expect, test } from 'vitest';
import { createDb } from '../connection/db.ts';
import { captureHold, findHold, hold } from './holds.ts';
import { createLedgerIntake } from './operation-intake.ts';
import type { LedgerIntake } from './operation-intake.ts';
import { reverseTransaction } from './reversals.ts';
import { assignSuspense } from './assign-suspense.ts';
import { allFaults } from '../testing/ledger/hold-faults.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { payIntoSuspense } from '../testing/ledger/suspense.ts';
import { FAR_AHEAD, LONG_AGO } from '../testing/ledger/late-holds.ts';
import { connect, useTestDb, valueOf } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';
import { transfer } from './transfers.ts';
import { lookupWallet } from '../wallets/wallets.ts';

const database = useTestDb();
const { sql } = database;
const FLOAT = 'MPESA-FLOAT';

async function withIntake(
  work: (intake: LedgerIntake) => Promise<void>,
  options?: Parameters<typeof createLedgerIntake>[1],
): Promise<void> {
  const intake = createLedgerIntake(database.db, options);
  await work(intake);
  await intake.close();
  expect(intake.depth).toBe(0);
}

/** A hold with a key of its own. */
const holding = (wallet: string, amount = '1.00') => ({ wallet, amount, idempotencyKey: newKey() });

const codesOf = (settled: readonly PromiseSettledResult<unknown>[]) =>
  settled.map((one) => (one.status === 'rejected' ? (one.reason as { code: string }).code : 'done'));

test('what many callers ask for at the same time is committed together, in the order in which they asked', async () => {
  const wallet = await openFunded(database, '1000.00');
  await withIntake(async (intake) => {
    const placed = await Promise.all(Array.from({ length: 60 }, () => intake.hold(holding(wallet))));
    expect(placed.map(({ available }) => available)).toEqual(
      Array.from({ length: 60 }, (_, i) => `${999 - i}.00`),
    );
    const transactions = 'SELECT count(DISTINCT xmin::text)::integer FROM core.holds WHERE wallet_id = $1';
    expect(await valueOf(sql, transactions, [wallet])).toBe(1);
  });
});

test('operations of all kinds go together, and each is answered as by a call of its own', async () => {
  const [wallet, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const receipt = await payIntoSuspense(database.db, { amount: '30.00' });
  const [paid, freed] = [
    await hold(database.db, holding(wallet, '40.00')),
    await hold(database.db, holding(wallet, '5.00')),
  ];
  const { reference } = await transfer(database.db, sampleTransfer({ from: wallet, to, amount: '10.00' }));
  await withIntake(async (intake) => {
    const [placed, captured, released, back, assigned] = await Promise.all([
      intake.hold({ ...holding(wallet, '20.00'), expiresAt: FAR_AHEAD, narrative: 'kodi' }),
      intake.captureHold({ holdId: paid.id, to: FLOAT, amount: '25.00', idempotencyKey: newKey() }),
      intake.releaseHold({ holdId: freed.id }),
      intake.reverseTransaction({ reference, amount: '4.00', idempotencyKey: newKey() }),
      intake.assignSuspense({ receipt, wallet: to }),
    ]);
    expect(placed).toMatchObject({ wallet, amount: '20.00', status: 'ACTIVE', available: '25.00' });
    expect(placed).toMatchObject({ expiresAt: FAR_AHEAD, captured: '0.00', replayed: false });
    expect(captured).toMatchObject({ type: 'WITHDRAWAL', from: wallet, to: FLOAT, amount: '25.00' });
    expect(captured).toMatchObject({ balanceAfter: '65.00', fee: '0.00', currency: 'KES' });
    expect(captured.hold).toMatchObject({ status: 'CAPTURED', captured: '25.00', available: '40.00' });
    expect(released).toMatchObject({ status: 'RELEASED', available: '45.00' });
    expect(back).toMatchObject({ type: 'REVERSAL', reverses: reference, amount: '4.00', remaining: '6.00' });
    expect(assigned).toMatchObject({ type: 'ASSIGNMENT', from: 'SUSPENSE', to, amount: '30.00' });
  });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ balance: '69.00', held: '20.00' });
  expect(await balanceOf(sql, to)).toBe('36.00');
});

test('refused operations get their refusals, and those beside them are done', async () => {
  const wallet = await openFunded(database, '10.00');
  await withIntake(async (intake) => {
    const settled = await Promise.allSettled([
      intake.hold(holding(wallet, '6.00')),
      intake.hold(holding(wallet, '4.01')),
      intake.hold(holding('NOBODY')),
      intake.hold(holding(wallet, '0')),
      intake.hold({ ...holding(wallet), expiresAt: LONG_AGO }),
      intake.captureHold({ holdId: 'no-uuid', to: FLOAT, idempotencyKey: newKey() }),
      intake.releaseHold({ holdId: '00000000-0000-7000-8000-000000000000' }),
      intake.reverseTransaction({ reference: 'DF-NEVER', idempotencyKey: newKey() }),
      intake.assignSuspense({ receipt: 'NEVER', wallet, idempotencyKey: newKey() }),
      intake.hold(holding(wallet, '4.00')),
    ]);
    expect(codesOf(settled)).toEqual([
      'done',
      'insufficient_funds',
      'unknown_wallet',
      'invalid_amount',
      'expiry_passed',
      'unknown_hold',
      'unknown_hold',
      'unknown_transaction',
      'unknown_transaction',
      'done',
    ]);
  });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ held: '10.00', available: '0.00' });
});

test('money that is spent is not sent back, also from a batch', async () => {
  const [from, to] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
  const { reference } = await transfer(database.db, sampleTransfer({ from, to, amount: '10.00' }));
  await withIntake(async (intake) => {
    const [, back] = await Promise.allSettled([
      intake.hold(holding(to, '0.01')),
      intake.reverseTransaction({ reference, idempotencyKey: newKey() }),
    ]);
    expect(codesOf([back])).toEqual(['funds_spent']);
  });
});

test('a poisonous operation fails alone, wherever it stands in the batch', async () => {
  const wallet = await openFunded(database, '100.00');
  await withIntake(async (intake) => {
    const many = Array.from({ length: 33 }, () => holding(wallet));
    // A year that the database's calendar lacks: the statement fails as a whole, which no check of ours foresees here.
    const poison = { ...holding(wallet), expiresAt: new PoisonousDate() };
    many.splice(20, 0, poison);
    const codes = codesOf(await Promise.allSettled(many.map((request) => intake.hold(request))));
    expect(codes).toEqual(many.map((request) => (request === poison ? 'request_failed' : 'done')));
  });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ held: '33.00' });
});

class PoisonousDate extends Date {
  override toISOString(): string {
    return '2026-02-31T00:00:00.000Z';
  }
}

test('one key that many callers of one intake use at once is done once and answered to all', async () => {
  const wallet = await openFunded(database, '100.00');
  await withIntake(async (intake) => {
    const request = holding(wallet);
    const placed = await Promise.all(Array.from({ length: 50 }, () => intake.hold(request)));
    expect(new Set(placed.map(({ id }) => id)).size).toBe(1);
    expect(placed.map(({ replayed }) => replayed)).toEqual([false, ...Array<boolean>(49).fill(true)]);
    const other = intake.hold({ ...request, amount: '2.00' });
    expect(await refusalOf(other)).toBe('key_reused');
  });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ held: '1.00' });
});

test('what was done by a call of its own is answered again by the intake, and the other way round', async () => {
  const wallet = await openFunded(database, '100.00');
  const receipt = await payIntoSuspense(database.db);
  await withIntake(async (intake) => {
    const first = holding(wallet, '10.00');
    const placed = await hold(database.db, first);
    expect(await intake.hold(first)).toEqual({ ...placed, replayed: true });

    const capture = { holdId: placed.id, to: FLOAT, idempotencyKey: newKey() };
    const paid = await intake.captureHold(capture);
    const again = await captureHold(database.db, capture);
    expect(again).toEqual({ ...paid, replayed: true, hold: { ...paid.hold, replayed: true } });

    const reversal = { reference: paid.reference, idempotencyKey: newKey() };
    const back = await reverseTransaction(database.db, reversal);
    expect(await intake.reverseTransaction(reversal)).toEqual({ ...back, replayed: true });

    const assignment = { receipt, wallet, idempotencyKey: newKey() };
    const assigned = await intake.assignSuspense(assignment);
    expect(await assignSuspense(database.db, assignment)).toEqual({ ...assigned, replayed: true });
  });
});

test('two intakes of two processes that share keys do each request once', async () => {
  const wallets = await Promise.all(Array.from({ length: 10 }, () => openFunded(database, '10.00')));
  const second = createDb({ url: database.url });
  const intakes = [createLedgerIntake(database.db), createLedgerIntake(second)];
  const requests = Array.from({ length: 40 }, (_, i) => holding(wallets[i % 10] ?? ''));
  const placed = await Promise.all(
    intakes.flatMap((intake, i) =>
      (i === 0 ? requests : requests.toReversed()).map((request) => intake.hold(request)),
    ),
  );
  expect(new Set(placed.map(({ id }) => id)).size).toBe(40);
  for (const wallet of wallets) {
    expect(await lookupWallet(database.db, wallet)).toMatchObject({ held: '4.00' });
  }
  await Promise.all(intakes.map((intake) => intake.close()));
  await second.close();
});

test('a closed intake answers what it has accepted and accepts nothing new', async () => {
  const wallet = await openFunded(database, '100.00');
  const intake = createLedgerIntake(database.db, { maxBatch: 5 });
  const taken = Array.from({ length: 23 }, () => intake.hold(holding(wallet)));
  const closed = intake.close();
  expect(await refusalOf(intake.hold(holding(wallet)))).toBe('intake_closed');
  await closed;
  expect(intake.depth).toBe(0);
  for (const { id } of await Promise.all(taken)) {
    expect(await findHold(database.db, { id })).toMatchObject({ status: 'ACTIVE' });
  }
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ held: '23.00' });
});

test('an intake that holds as much as it may refuses at once and does what it holds', async () => {
  const wallet = await openFunded(database, '100.00');
  const intake = createLedgerIntake(database.db, { maxQueue: 3, maxBatch: 1 });
  const blocker = await connect(database.url);
  await blocker.query('BEGIN');
  await blocker.query('SELECT 1 FROM core.wallets WHERE id = $1 FOR UPDATE', [wallet]);
  const taken = Array.from({ length: 3 }, () => intake.hold(holding(wallet)));
  expect(await refusalOf(intake.hold(holding(wallet)))).toBe('queue_full');
  await blocker.query('COMMIT');
  await Promise.all(taken);
  await intake.close();
  await blocker.end();
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ held: '3.00' });
});

test('after all of this the ledger is sound', async () => {
  expect(await allFaults(sql)).toEqual([]);
});
