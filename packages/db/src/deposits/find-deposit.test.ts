import { expect, test } from 'vitest';
import { storeCallback } from './inbox.ts';
import { findDeposit } from './find-deposit.ts';
import { recordDeposit } from './record-deposits.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { openCustomer } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();

test('a credited deposit is found with its facts and its callback', async () => {
  const account = await openCustomer(database.db);
  const paidAt = new Date('2026-03-01T06:30:00.123Z');
  const deposit = sampleDeposit({ account, amount: '70.00', paidAt });
  const result = await recordDeposit(database.db, deposit);
  const { createdAt, verificationHash } = 'createdAt' in result ? result : expect.fail('not credited');
  expect(await findDeposit(database.db, deposit.receipt)).toEqual({
    receipt: deposit.receipt,
    outcome: 'credited',
    suggestions: [],
    amount: '70.00',
    wallet: account,
    reference: deposit.receipt,
    paidAt,
    createdAt,
    verificationHash,
    callbacks: [{ kind: 'C2B_CONFIRMATION', outcome: 'CREDITED', error: null, receivedAt: createdAt }],
    decisions: [],
    witnesses: [],
  });
});

test('a deposit in suspense is found with the reason and the suggestions', async () => {
  const number = await openCustomer(database.db);
  const account = number.slice(0, 9) + String((Number(number[9]) + 1) % 10);
  const deposit = sampleDeposit({ account, phone: null });
  await recordDeposit(database.db, deposit);
  expect(await findDeposit(database.db, deposit.receipt)).toMatchObject({
    outcome: 'suspense',
    reason: 'wrong_check_digit',
    suggestions: [{ wallet: number, reason: 'near_number' }],
    wallet: 'SUSPENSE',
  });
});

test('every message about a receipt is shown, in the order in which they came', async () => {
  const deposit = sampleDeposit();
  const { receipt } = deposit;
  await storeCallback(database.db, {
    kind: 'C2B_VALIDATION',
    outcome: 'VALIDATED',
    error: null,
    source: null,
    receipt,
    body: new Uint8Array(0),
  });
  await recordDeposit(database.db, deposit);
  await recordDeposit(database.db, deposit);
  await recordDeposit(database.db, sampleDeposit({ receipt, amount: '1.00' }));
  const view = await findDeposit(database.db, receipt);
  const outcomes = view?.callbacks.map(({ kind, outcome }) => `${kind} ${outcome}`);
  expect(outcomes).toEqual([
    'C2B_VALIDATION VALIDATED',
    'C2B_CONFIRMATION SUSPENSE',
    'C2B_CONFIRMATION DUPLICATE',
    'C2B_CONFIRMATION CONFLICT',
  ]);
});

test('a receipt whose messages moved no money is found with outcome none', async () => {
  const receipt = newReceipt();
  const message = { kind: 'C2B_CONFIRMATION', outcome: 'QUARANTINED', source: null } as const;
  await storeCallback(database.db, { ...message, error: 'amount_missing', receipt, body: new Uint8Array(1) });
  expect(await findDeposit(database.db, receipt)).toEqual({
    receipt,
    outcome: 'none',
    callbacks: [
      {
        kind: 'C2B_CONFIRMATION',
        outcome: 'QUARANTINED',
        error: 'amount_missing',
        receivedAt: expect.any(Date),
      },
    ],
    decisions: [],
    witnesses: [],
  });
});

test('a receipt is found however a person writes it', async () => {
  const deposit = sampleDeposit();
  await recordDeposit(database.db, deposit);
  const view = await findDeposit(database.db, ` ${deposit.receipt.toLowerCase()} `);
  expect(view?.receipt).toBe(deposit.receipt);
});

test.for([
  ['an unknown receipt', 'NOSUCH'],
  ['nothing', ''],
  ['NUL', 'A\0B'],
  ['half a character', '\ud800'],
  ['a long text', 'A'.repeat(10_000)],
  ['a wallet', 'SUSPENSE'],
] as const)('%s finds nothing', async ([, receipt]) => {
  expect(await findDeposit(database.db, receipt)).toBeNull();
});
