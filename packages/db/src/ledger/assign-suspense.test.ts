import { expect, test } from 'vitest';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { reverseTransaction } from './reversals.ts';
import { assignSuspense } from './assign-suspense.ts';
import { allFaults } from '../testing/ledger/hold-faults.ts';
import { meet, tally, useRace } from '../testing/ledger/race.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { WAITING_WALLET, payIntoSuspense } from '../testing/ledger/suspense.ts';
import { post } from '../testing/database/post.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer, setGuarded, setStatus } from '../testing/database/wallet-fixtures.ts';
import { transfer } from './transfers.ts';

const database = useTestDb();
const race = useRace(database);
const { sql } = database;

test('a payment moves from suspense to its wallet', async () => {
  const [receipt, wallet] = [await payIntoSuspense(database.db), await openCustomer(database.db)];
  const posted = await assignSuspense(database.db, { receipt, wallet });
  expect(posted).toMatchObject({
    type: 'ASSIGNMENT',
    from: 'SUSPENSE',
    to: wallet,
    amount: '150.00',
    replayed: false,
  });
  expect(await balanceOf(sql, wallet)).toBe('150.00');
});

test('a repeated assignment gets the same answer and moves nothing', async () => {
  const [receipt, wallet] = [await payIntoSuspense(database.db), await openCustomer(database.db)];
  const posted = await assignSuspense(database.db, { receipt, wallet });
  const typed = ` ${receipt.toLowerCase()} `;
  expect(await assignSuspense(database.db, { receipt: typed, wallet })).toEqual({
    ...posted,
    replayed: true,
  });
  expect(await balanceOf(sql, wallet)).toBe('150.00');
});

test('a payment that is in one wallet is not assigned to another', async () => {
  const [receipt, wallet] = [await payIntoSuspense(database.db), await openCustomer(database.db)];
  await assignSuspense(database.db, { receipt, wallet });
  const other = await openCustomer(database.db);
  expect(await refusalOf(assignSuspense(database.db, { receipt, wallet: other }))).toBe('already_assigned');
  expect(await balanceOf(sql, other)).toBe('0.00');
});

test('a payment that was credited to its wallet is not in suspense', async () => {
  const [wallet, other] = [await openCustomer(database.db), await openCustomer(database.db)];
  const deposit = sampleDeposit({ account: wallet });
  await recordDeposit(database.db, deposit);
  const again = assignSuspense(database.db, { receipt: deposit.receipt, wallet: other });
  expect(await refusalOf(again)).toBe('not_in_suspense');
});

test('a missing receipt and a reference that is no receipt are unknown', async () => {
  const [receipt, wallet] = [await payIntoSuspense(database.db), await openCustomer(database.db)];
  const { reference } = await assignSuspense(database.db, { receipt, wallet });
  expect(await refusalOf(assignSuspense(database.db, { receipt: 'NEVERSEEN1', wallet }))).toBe(
    'unknown_transaction',
  );
  expect(await refusalOf(assignSuspense(database.db, { receipt: reference, wallet }))).toBe(
    'unknown_transaction',
  );
});

test.each([
  ['FROZEN', 'wallet_frozen'],
  ['CLOSED', 'wallet_closed'],
])('nothing is assigned to a %s wallet, and the payment can go elsewhere', async (status, code) => {
  const [receipt, wallet] = [await payIntoSuspense(database.db), await openCustomer(database.db)];
  await setStatus(sql, wallet, status);
  expect(await refusalOf(assignSuspense(database.db, { receipt, wallet }))).toBe(code);
  const other = await openCustomer(database.db);
  expect((await assignSuspense(database.db, { receipt, wallet: other })).to).toBe(other);
});

test('nothing is assigned to nobody, to a system wallet or to another currency', async () => {
  const receipt = await payIntoSuspense(database.db);
  const to = (wallet: string) => refusalOf(assignSuspense(database.db, { receipt, wallet }));
  expect(await to('NOBODY')).toBe('unknown_wallet');
  expect(await to('FEES')).toBe('unknown_wallet');
  expect(await to('SUSPENSE')).toBe('unknown_wallet');
  const foreign = await openCustomer(database.db);
  await setGuarded(sql, foreign, { currency: 'UGX' });
  expect(await to(foreign)).toBe('currency_mismatch');
});

test('when assignments to several wallets meet, one wins and the others are refused', async () => {
  const receipt = await payIntoSuspense(database.db);
  await payIntoSuspense(database.db);
  const wallets = [];
  for (let i = 0; i < 6; i += 1) wallets.push(await openCustomer(database.db));
  const told = await meet(
    race,
    WAITING_WALLET,
    wallets.map((wallet) => (db) => assignSuspense(db, { receipt, wallet })),
  );
  expect(tally(told)).toEqual({ done: 1, already_assigned: 5 });
  const balances = await Promise.all(wallets.map((wallet) => balanceOf(sql, wallet)));
  expect(balances.map((balance) => balance === '150.00')).toEqual(told.map((one) => one === 'done'));
});

test('one assignment that arrives on six connections at once moves the money once', async () => {
  const [receipt, wallet] = [await payIntoSuspense(database.db), await openCustomer(database.db)];
  await payIntoSuspense(database.db);
  const ask = (db: typeof database.db) => assignSuspense(db, { receipt, wallet });
  expect(
    tally(
      await meet(
        race,
        wallet,
        Array.from({ length: 6 }, () => ask),
      ),
    ),
  ).toEqual({ done: 6 });
  expect(await balanceOf(sql, wallet)).toBe('150.00');
});

test('of an assignment and a reversal that meet exactly one gets the money', async () => {
  for (let round = 0; round < 4; round += 1) {
    const [receipt, wallet] = [await payIntoSuspense(database.db), await openCustomer(database.db)];
    await payIntoSuspense(database.db);
    const told = await meet(race, WAITING_WALLET, [
      (db) => assignSuspense(db, { receipt, wallet }),
      (db) => reverseTransaction(db, { reference: receipt, idempotencyKey: newKey() }),
    ]);
    const expected = told[0] === 'done' ? ['done', 'already_assigned'] : ['already_reversed', 'done'];
    expect(told).toEqual(expected);
    expect(await balanceOf(sql, wallet)).toBe(told[0] === 'done' ? '150.00' : '0.00');
  }
});

test('a payment that was sent back in part is not assigned', async () => {
  const [receipt, wallet] = [await payIntoSuspense(database.db), await openCustomer(database.db)];
  await reverseTransaction(database.db, { reference: receipt, amount: '0.01', idempotencyKey: newKey() });
  expect(await refusalOf(assignSuspense(database.db, { receipt, wallet }))).toBe('already_reversed');
});

test('after its assignment was reversed a payment is assigned again, however often', async () => {
  const receipt = await payIntoSuspense(database.db);
  await payIntoSuspense(database.db, { amount: '9000.00' });
  const wallet = await openCustomer(database.db);
  const references = new Set<string>();
  for (let time = 1; time <= 25; time += 1) {
    const posted = await assignSuspense(database.db, { receipt, wallet });
    expect(posted.replayed).toBe(false);
    references.add(posted.reference);
    // Assigned once it is assigned, the first time and the twenty-fifth.
    expect(await assignSuspense(database.db, { receipt, wallet })).toEqual({ ...posted, replayed: true });
    const back = reverseTransaction(database.db, { reference: receipt, idempotencyKey: newKey() });
    expect(await refusalOf(back)).toBe('already_assigned');
    expect(await balanceOf(sql, wallet)).toBe('150.00');
    await reverseTransaction(database.db, { reference: posted.reference, idempotencyKey: newKey() });
  }
  expect(references.size).toBe(25);
});

test('an assignment goes back whole or not at all, so that no part of it is lost in suspense', async () => {
  const [wallet, shop] = [await openCustomer(database.db), await openCustomer(database.db)];
  const receipt = await payIntoSuspense(database.db);
  const { reference } = await assignSuspense(database.db, { receipt, wallet });
  await transfer(database.db, sampleTransfer({ from: wallet, to: shop, amount: '60.00' }));
  const back = (amount?: string) =>
    reverseTransaction(database.db, { reference, idempotencyKey: newKey(), ...(amount && { amount }) });
  expect(await refusalOf(back('90.00'))).toBe('not_divisible');
  expect(await refusalOf(back())).toBe('funds_spent');
  await transfer(database.db, sampleTransfer({ from: shop, to: wallet, amount: '60.00' }));
  expect(await back()).toMatchObject({ amount: '150.00', remaining: '0.00' });
  expect(await assignSuspense(database.db, { receipt, wallet: shop })).toMatchObject({ replayed: false });
});

/** A payment of an older database, whose receipts could be any text. */
async function payBefore(receipt: string): Promise<string> {
  const payment = { type: 'DEPOSIT', from: 'MPESA-FLOAT', to: 'SUSPENSE', amount: '150.00' };
  await post(database.sql, [{ reference: receipt, ...payment }]);
  return receipt;
}

test('a payment with the longest receipt is assigned as often as any other', async () => {
  const wallets = [await openCustomer(database.db), await openCustomer(database.db)] as const;
  for (const length of [45, 46, 50]) {
    const receipt = await payBefore(newReceipt().padEnd(length, 'X'));
    for (const wallet of wallets) {
      const { reference } = await assignSuspense(database.db, { receipt, wallet });
      expect(await refusalOf(assignSuspense(database.db, { receipt, wallet: 'NOBODY' }))).toBe(
        'already_assigned',
      );
      await reverseTransaction(database.db, { reference, idempotencyKey: newKey() });
    }
  }
});

test('with a key a late repeat gets the first answer, and assigns nothing again', async () => {
  const [receipt, wallet] = [await payIntoSuspense(database.db), await openCustomer(database.db)];
  const request = { receipt, wallet, idempotencyKey: newKey() };
  const posted = await assignSuspense(database.db, request);
  await reverseTransaction(database.db, { reference: posted.reference, idempotencyKey: newKey() });
  expect(await assignSuspense(database.db, request)).toEqual({ ...posted, replayed: true });
  expect(await balanceOf(sql, wallet)).toBe('0.00');
  const other = await openCustomer(database.db);
  expect(await refusalOf(assignSuspense(database.db, { ...request, wallet: other }))).toBe('key_reused');
  const again = await assignSuspense(database.db, { ...request, idempotencyKey: newKey() });
  expect(again).toMatchObject({ replayed: false, to: wallet });
  // A new key for what is done already is remembered as well.
  const later = { ...request, idempotencyKey: newKey() };
  expect(await assignSuspense(database.db, later)).toEqual({ ...again, replayed: true });
  await reverseTransaction(database.db, { reference: again.reference, idempotencyKey: newKey() });
  expect(await assignSuspense(database.db, later)).toEqual({ ...again, replayed: true });
});

test('with a key a refused assignment is remembered, whatever refused it', async () => {
  const [receipt, wallet] = [await payIntoSuspense(database.db), await openCustomer(database.db)];
  await setStatus(sql, wallet, 'FROZEN');
  const frozen = { receipt, wallet, idempotencyKey: newKey() };
  expect(await refusalOf(assignSuspense(database.db, frozen))).toBe('wallet_frozen');
  await setStatus(sql, wallet, 'ACTIVE');
  expect(await refusalOf(assignSuspense(database.db, frozen))).toBe('wallet_frozen');
  const unknown = { receipt: newReceipt(), wallet, idempotencyKey: newKey() };
  expect(await refusalOf(assignSuspense(database.db, unknown))).toBe('unknown_transaction');
  await payIntoSuspense(database.db, { receipt: unknown.receipt });
  expect(await refusalOf(assignSuspense(database.db, unknown))).toBe('unknown_transaction');
  expect((await assignSuspense(database.db, { ...unknown, idempotencyKey: newKey() })).to).toBe(wallet);
});

test('receipts that look like one another do not share their assignments', async () => {
  const stem = newReceipt();
  const receipts = [stem, `${stem}-2`, `${stem}-3`, `${stem}_`, `${stem}%`, `AS-${stem}`, `${stem}-2-2`];
  for (const receipt of receipts) await payBefore(receipt);
  await payIntoSuspense(database.db, { amount: '9000.00' });
  const wallets = [];
  for (let i = 0; i < receipts.length; i += 1) wallets.push(await openCustomer(database.db));
  for (let round = 0; round < 3; round += 1) {
    for (const [i, receipt] of receipts.entries()) {
      const wallet = wallets[i] ?? '';
      const posted = await assignSuspense(database.db, { receipt, wallet });
      expect(posted).toMatchObject({ to: wallet, type: 'ASSIGNMENT', replayed: false });
      expect(await balanceOf(sql, wallet)).toBe('150.00');
    }
    if (round === 2) break;
    for (const [i, receipt] of receipts.entries()) {
      const { reference } = await assignSuspense(database.db, { receipt, wallet: wallets[i] ?? '' });
      await reverseTransaction(database.db, { reference, idempotencyKey: newKey() });
    }
  }
});

test('after all of this the ledger is sound', async () => {
  expect(await allFaults(sql)).toEqual([]);
});
