import { expect, test } from 'vitest';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { reverseTransaction } from './reversals.ts';
import { assignSuspense } from './assign-suspense.ts';
import { addFeeRule, clearFeeRules } from '../testing/ledger/fees.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';
import { findTransaction } from './find-transaction.ts';
import { transfer } from './transfers.ts';

const database = useTestDb();

test('a transaction is found by its reference, with both parties', async () => {
  const from = await openFunded(database, '100.00');
  const to = await openCustomer(database.db, { holderName: 'Njoroge Mwangi' });
  const posted = await transfer(database.db, sampleTransfer({ from, to, narrative: 'kodi ya Machi' }));
  expect(await findTransaction(database.db, posted.reference)).toEqual({
    reference: posted.reference,
    type: 'TRANSFER',
    from: { number: from, name: 'Wanjiku Kamau', kind: 'CUSTOMER', language: 'en' },
    to: { number: to, name: 'Njoroge Mwangi', kind: 'CUSTOMER', language: 'en' },
    amount: '10.00',
    currency: 'KES',
    createdAt: posted.createdAt,
    verificationHash: posted.verificationHash,
    narrative: 'kodi ya Machi',
    reverses: null,
    reversedBy: [],
    remaining: '10.00',
    paidAt: null,
    fee: null,
  });
});

test('a deposit is found by its receipt', async () => {
  const to = await openCustomer(database.db);
  const deposit = sampleDeposit({ account: to });
  await recordDeposit(database.db, deposit);
  expect(await findTransaction(database.db, deposit.receipt)).toMatchObject({
    type: 'DEPOSIT',
    from: { number: 'MPESA-FLOAT', kind: 'SYSTEM' },
    to: { number: to },
    narrative: null,
    paidAt: deposit.paidAt,
  });
});

test('what was assigned was paid when M-PESA took the money, whichever assignment it is', async () => {
  const wallet = await openCustomer(database.db);
  const deposit = sampleDeposit({ account: 'nobody' });
  await recordDeposit(database.db, deposit);
  const { reference } = await assignSuspense(database.db, { receipt: deposit.receipt, wallet });
  await reverseTransaction(database.db, { reference, idempotencyKey: newKey() });
  const again = await assignSuspense(database.db, { receipt: deposit.receipt, wallet });
  expect(again.reference).not.toBe(reference);
  for (const each of [reference, again.reference])
    expect(await findTransaction(database.db, each)).toMatchObject({ paidAt: deposit.paidAt });
});

test.each([
  ['SENDER', 'from'],
  ['RECEIVER', 'to'],
] as const)('a fee that the %s paid is with the transaction', async (payer, paidBy) => {
  await clearFeeRules(database.sql);
  await addFeeRule(database.sql, { type: 'TRANSFER', flat: '3.00', payer });
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const { reference } = await transfer(database.db, sampleTransfer({ from, to }));
  await clearFeeRules(database.sql);
  expect(await findTransaction(database.db, reference)).toMatchObject({ fee: { amount: '3.00', paidBy } });
});

test.each(['DF-000000000000', '', 'a\0b', '\ud800', 'x'.repeat(1_000), "' OR true --"])(
  'the reference "%s" finds nothing',
  async (reference) => {
    expect(await findTransaction(database.db, reference)).toBeNull();
  },
);

test('of several references the first that exists finds its transaction', async () => {
  const from = await openFunded(database, '100.00');
  const to = await openCustomer(database.db);
  const [one, other] = [
    await transfer(database.db, sampleTransfer({ from, to })),
    await transfer(database.db, sampleTransfer({ from, to })),
  ];
  const find = async (...references: string[]) =>
    (await findTransaction(database.db, references))?.reference ?? null;
  expect(await find(one.reference, other.reference)).toBe(one.reference);
  expect(await find(other.reference, one.reference)).toBe(other.reference);
  expect(await find('{"', '\\', 'a\0b', 'x'.repeat(51), other.reference)).toBe(other.reference);
  expect(await find('DF-000000000000', 'NULL')).toBeNull();
  expect(await find()).toBeNull();
});
