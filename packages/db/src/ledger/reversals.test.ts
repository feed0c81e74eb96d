import { expect, test } from 'vitest';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { captureHold, hold } from './holds.ts';
import { reverseTransaction } from './reversals.ts';
import { assignSuspense } from './assign-suspense.ts';
import { addFeeRule, clearFeeRules } from '../testing/ledger/fees.ts';
import { allFaults } from '../testing/ledger/hold-faults.ts';
import { meet, tally, useRace } from '../testing/ledger/race.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { payIntoSuspense } from '../testing/ledger/suspense.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer, openFunded, setStatus } from '../testing/database/wallet-fixtures.ts';
import { findTransaction } from './find-transaction.ts';
import { transfer } from './transfers.ts';

const database = useTestDb();
const race = useRace(database);
const { sql } = database;

async function sent(amount = '40.00') {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const { reference } = await transfer(database.db, sampleTransfer({ from, to, amount }));
  return { from, to, reference };
}

test('a transfer is reversed whole by default, and the two are linked both ways', async () => {
  const { from, to, reference } = await sent();
  const back = await reverseTransaction(database.db, {
    reference,
    idempotencyKey: newKey(),
    narrative: 'kosa',
  });
  expect(back).toMatchObject({ type: 'REVERSAL', from: to, to: from, amount: '40.00', balanceAfter: '0.00' });
  expect(back).toMatchObject({ reverses: reference, remaining: '0.00', replayed: false });
  expect([await balanceOf(sql, from), await balanceOf(sql, to)]).toEqual(['100.00', '0.00']);
  const [original, reversal] = [
    await findTransaction(database.db, reference),
    await findTransaction(database.db, back.reference),
  ];
  expect(original).toMatchObject({ reversedBy: [back.reference], reverses: null, remaining: '0.00' });
  expect(reversal).toMatchObject({
    reverses: reference,
    reversedBy: [],
    narrative: 'kosa',
    type: 'REVERSAL',
  });
});

test('a transaction is reversed in parts until nothing is left', async () => {
  const { from, to, reference } = await sent();
  const part = (amount: string) =>
    reverseTransaction(database.db, { reference, amount, idempotencyKey: newKey() });
  const first = await part('15.00');
  expect(first.remaining).toBe('25.00');
  expect(await refusalOf(part('25.01'))).toBe('exceeds_remaining');
  const rest = await reverseTransaction(database.db, { reference, idempotencyKey: newKey() });
  expect(rest).toMatchObject({ amount: '25.00', remaining: '0.00' });
  expect(await refusalOf(part('0.01'))).toBe('already_reversed');
  expect(await findTransaction(database.db, reference)).toMatchObject({
    reversedBy: [first.reference, rest.reference],
    remaining: '0.00',
  });
  expect([await balanceOf(sql, from), await balanceOf(sql, to)]).toEqual(['100.00', '0.00']);
});

test('the same key and request send the money back once and answer the same', async () => {
  const { from, reference } = await sent();
  const request = { reference, amount: '10.00', idempotencyKey: newKey() };
  const first = await reverseTransaction(database.db, request);
  expect(await reverseTransaction(database.db, request)).toEqual({ ...first, replayed: true });
  expect(await balanceOf(sql, from)).toBe('70.00');
  expect(await refusalOf(reverseTransaction(database.db, { ...request, amount: '10.01' }))).toBe(
    'key_reused',
  );
  expect(await refusalOf(reverseTransaction(database.db, { ...request, narrative: 'x' }))).toBe('key_reused');
});

test('a repeated reversal gets what was left then, and not what is left now', async () => {
  const { reference } = await sent();
  const requests = ['10.00', '5.00', '25.00'].map((amount) => ({
    reference,
    amount,
    idempotencyKey: newKey(),
  }));
  const first = [];
  for (const request of requests) first.push(await reverseTransaction(database.db, request));
  expect(first.map(({ remaining }) => remaining)).toEqual(['30.00', '25.00', '0.00']);
  for (const [i, request] of requests.entries()) {
    expect(await reverseTransaction(database.db, request)).toEqual({ ...first[i], replayed: true });
  }
});

test('money that is spent is not sent back, and part of it can be', async () => {
  const { to, reference } = await sent();
  const other = await openCustomer(database.db);
  await transfer(database.db, sampleTransfer({ from: to, to: other, amount: '30.00' }));
  const whole = { reference, idempotencyKey: newKey() };
  expect(await refusalOf(reverseTransaction(database.db, whole))).toBe('funds_spent');
  const part = await reverseTransaction(database.db, {
    reference,
    amount: '10.00',
    idempotencyKey: newKey(),
  });
  expect(part).toMatchObject({ remaining: '30.00', balanceAfter: '0.00' });
  // It was refused and stays so, although the money comes back.
  await transfer(database.db, sampleTransfer({ from: other, to, amount: '30.00' }));
  expect(await refusalOf(reverseTransaction(database.db, whole))).toBe('funds_spent');
});

test('money that is held counts as spent', async () => {
  const { to, reference } = await sent();
  await hold(database.db, { wallet: to, amount: '0.01', idempotencyKey: newKey() });
  expect(await refusalOf(reverseTransaction(database.db, { reference, idempotencyKey: newKey() }))).toBe(
    'funds_spent',
  );
});

test.each([
  ['FROZEN', 'wallet_frozen'],
  ['CLOSED', 'wallet_closed'],
])('nothing is sent back out of or into a %s wallet', async (status, code) => {
  for (const side of ['from', 'to'] as const) {
    const transaction = await sent();
    await setStatus(sql, transaction[side], status);
    const { reference } = transaction;
    expect(await refusalOf(reverseTransaction(database.db, { reference, idempotencyKey: newKey() }))).toBe(
      code,
    );
  }
});

test('a reversal is not reversed', async () => {
  const { reference } = await sent();
  const back = await reverseTransaction(database.db, { reference, idempotencyKey: newKey() });
  const again = reverseTransaction(database.db, { reference: back.reference, idempotencyKey: newKey() });
  expect(await refusalOf(again)).toBe('not_reversible');
});

test('an unknown transaction is not reversed, and the key is spent on that answer', async () => {
  const request = { reference: 'DF-000000000000', idempotencyKey: newKey() };
  expect(await refusalOf(reverseTransaction(database.db, request))).toBe('unknown_transaction');
  expect(await refusalOf(reverseTransaction(database.db, request))).toBe('unknown_transaction');
  const { reference } = await sent();
  expect(await refusalOf(reverseTransaction(database.db, { ...request, reference }))).toBe('key_reused');
});

test('a deposit goes back to the float it came from', async () => {
  const wallet = await openCustomer(database.db);
  const deposit = sampleDeposit({ account: wallet, amount: '80.00' });
  await recordDeposit(database.db, deposit);
  const back = await reverseTransaction(database.db, {
    reference: deposit.receipt,
    idempotencyKey: newKey(),
  });
  expect(back).toMatchObject({ from: wallet, to: 'MPESA-FLOAT', amount: '80.00', remaining: '0.00' });
});

test('a withdrawal that failed on its way is given back', async () => {
  const wallet = await openFunded(database, '100.00');
  const { id } = await hold(database.db, { wallet, amount: '40.00', idempotencyKey: newKey() });
  const paid = await captureHold(database.db, { holdId: id, to: 'MPESA-FLOAT', idempotencyKey: newKey() });
  await reverseTransaction(database.db, { reference: paid.reference, idempotencyKey: newKey() });
  expect(await balanceOf(sql, wallet)).toBe('100.00');
});

test('the fee of a transfer is reversed apart from it', async () => {
  await addFeeRule(sql, { flat: '3.00' });
  const { from, reference } = await sent();
  await clearFeeRules(sql);
  await reverseTransaction(database.db, { reference, idempotencyKey: newKey() });
  expect(await balanceOf(sql, from)).toBe('97.00');
  const fee = await reverseTransaction(database.db, {
    reference: `${reference}-F`,
    idempotencyKey: newKey(),
  });
  expect(fee).toMatchObject({ from: 'FEES', to: from, amount: '3.00' });
  expect(await balanceOf(sql, from)).toBe('100.00');
});

test('reversals of one transaction that meet never send back more than it moved', async () => {
  const { from, to, reference } = await sent();
  const told = await meet(
    race,
    to,
    Array.from(
      { length: 6 },
      () => (db) => reverseTransaction(db, { reference, amount: '15.00', idempotencyKey: newKey() }),
    ),
  );
  expect(tally(told)).toEqual({ done: 2, exceeds_remaining: 4 });
  expect([await balanceOf(sql, from), await balanceOf(sql, to)]).toEqual(['90.00', '10.00']);
});

test('one reversal that arrives on six connections at once is done once and answered to all', async () => {
  const { from, to, reference } = await sent();
  const request = { reference, idempotencyKey: newKey() };
  const told = await meet(
    race,
    to,
    Array.from({ length: 6 }, () => (db) => reverseTransaction(db, request)),
  );
  expect(tally(told)).toEqual({ done: 6 });
  expect(await balanceOf(sql, from)).toBe('100.00');
});

test('a payment in suspense goes back to its payer while it waits there', async () => {
  const receipt = await payIntoSuspense(database.db);
  const back = await reverseTransaction(database.db, { reference: receipt, idempotencyKey: newKey() });
  expect(back).toMatchObject({ from: 'SUSPENSE', to: 'MPESA-FLOAT', amount: '150.00' });
});

test('a payment that left suspense is not sent back out of what other payers have there', async () => {
  const [receipt, other] = [await payIntoSuspense(database.db), await payIntoSuspense(database.db)];
  const wallet = await openCustomer(database.db);
  await assignSuspense(database.db, { receipt, wallet });
  const before = await balanceOf(sql, 'SUSPENSE');
  const back = (amount?: string) =>
    reverseTransaction(database.db, {
      reference: receipt,
      idempotencyKey: newKey(),
      ...(amount && { amount }),
    });
  expect(await refusalOf(back())).toBe('already_assigned');
  expect(await refusalOf(back('0.01'))).toBe('already_assigned');
  expect(await balanceOf(sql, 'SUSPENSE')).toBe(before);
  // The other payer still has their money.
  const own = await reverseTransaction(database.db, { reference: other, idempotencyKey: newKey() });
  expect(own.amount).toBe('150.00');
});

test('once the assignment has been reversed the payment goes back', async () => {
  const receipt = await payIntoSuspense(database.db);
  const wallet = await openCustomer(database.db);
  const { reference } = await assignSuspense(database.db, { receipt, wallet });
  const back = () => reverseTransaction(database.db, { reference: receipt, idempotencyKey: newKey() });
  expect(await refusalOf(back())).toBe('already_assigned');
  await reverseTransaction(database.db, { reference, idempotencyKey: newKey() });
  expect(await back()).toMatchObject({
    from: 'SUSPENSE',
    to: 'MPESA-FLOAT',
    amount: '150.00',
    remaining: '0.00',
  });
});

test('after all of this the ledger is sound', async () => {
  expect(await allFaults(sql)).toEqual([]);
});
