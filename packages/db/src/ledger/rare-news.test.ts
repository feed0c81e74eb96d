import { expect, test } from 'vitest';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { captureHold, hold, releaseHold } from './holds.ts';
import { createLedgerIntake } from './operation-intake.ts';
import { reverseTransaction } from './reversals.ts';
import { assignSuspense } from './assign-suspense.ts';
import { addFeeRule, clearFeeRules } from '../testing/ledger/fees.ts';
import { openHeld } from '../testing/database/held-wallet.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { useTestDb, valueOf } from '../testing/database/test-db.ts';
import { withWallets } from '../testing/sms/news.ts';
import { openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';
import { transfer } from './transfers.ts';

const database = useTestDb();

/** The messages about a movement: to whom, and what they say. */
async function newsOf(reference: string) {
  const told = await database.sql(
    `SELECT recipient, template, priority, status, message
       FROM services.sms_logs WHERE transaction_reference = $1 ORDER BY id`,
    [reference],
  );
  return withWallets(database.sql, told);
}

test.for(['by itself', 'through the intake'] as const)(
  'both sides of a transfer are told of its reversal %s',
  async (way) => {
    const from = await openFunded(database, '100.00');
    const to = await openCustomer(database.db, { language: 'sw' });
    const { reference: original } = await transfer(
      database.db,
      sampleTransfer({ from, to, amount: '40.00' }),
    );
    const request = { reference: original, amount: '15.00', idempotencyKey: newKey() };
    const intake = createLedgerIntake(database.db);
    const { reference } = await (way === 'by itself'
      ? reverseTransaction(database.db, request)
      : intake.reverseTransaction(request));
    await intake.close();
    const ordinary = { priority: 0, status: 'PENDING' };
    expect(await newsOf(reference)).toEqual([
      {
        ...ordinary,
        wallet: to,
        template: 'reversal_debit',
        message: `${reference} imethibitishwa. KES 15.00 zimerudishwa kutoka pochi yako ${to}. Salio jipya KES 25.00.`,
      },
      {
        ...ordinary,
        wallet: from,
        template: 'reversal_credit',
        message: `${reference} confirmed. KES 15.00 was returned to your wallet ${from}. New balance KES 75.00.`,
      },
    ]);
  },
);

test('of a reversed deposit its wallet’s holder is told, and the float is nobody', async () => {
  const account = await openCustomer(database.db);
  const deposit = sampleDeposit({ account, amount: '30.00' });
  await recordDeposit(database.db, deposit);
  const { reference } = await reverseTransaction(database.db, {
    reference: deposit.receipt,
    idempotencyKey: newKey(),
  });
  expect(await newsOf(reference)).toMatchObject([{ wallet: account, template: 'reversal_debit' }]);
});

test('the owner who is found for a payment in suspense is told', async () => {
  const wallet = await openCustomer(database.db);
  const deposit = sampleDeposit({ account: 'nobody', amount: '30.00' });
  await recordDeposit(database.db, deposit);
  const { reference } = await assignSuspense(database.db, { receipt: deposit.receipt, wallet });
  expect(await newsOf(reference)).toMatchObject([
    {
      wallet,
      template: 'suspense_assigned',
      message: `${reference}: KES 30.00 that waited is now in wallet ${wallet}. New balance KES 30.00.`,
    },
  ]);
});

test('an assignment that is asked for again is not told again', async () => {
  const wallet = await openCustomer(database.db);
  const deposit = sampleDeposit({ account: 'nobody' });
  await recordDeposit(database.db, deposit);
  const { reference } = await assignSuspense(database.db, { receipt: deposit.receipt, wallet });
  await assignSuspense(database.db, { receipt: deposit.receipt, wallet });
  expect(await newsOf(reference)).toHaveLength(1);
});

test.for(['by itself', 'through the intake'] as const)(
  'the holder of a captured hold is told what left the wallet and what remains, its fee paid, %s',
  async (way) => {
    await clearFeeRules(database.sql);
    await addFeeRule(database.sql, { type: 'WITHDRAWAL', flat: '3.00' });
    const { wallet, placed } = await openHeld(database, {});
    const request = { holdId: placed.id, to: 'MPESA-FLOAT', idempotencyKey: newKey() };
    const intake = createLedgerIntake(database.db);
    const capture = way === 'by itself' ? captureHold(database.db, request) : intake.captureHold(request);
    const { reference } = await capture;
    await intake.close();
    await clearFeeRules(database.sql);
    expect(await newsOf(reference)).toEqual([
      {
        wallet,
        template: 'withdrawal',
        priority: 0,
        status: 'PENDING',
        message: `${reference} confirmed. KES 40.00 was paid out of your wallet ${wallet}. New balance KES 57.00.`,
      },
    ]);
  },
);

test('a hold that pays another customer is told to both, once however often it is captured', async () => {
  const { wallet, placed } = await openHeld(database, {});
  const to = await openCustomer(database.db, { holderName: 'Otieno Odhiambo', language: 'sw' });
  const request = { holdId: placed.id, to, amount: '15.00', idempotencyKey: newKey() };
  const { reference } = await captureHold(database.db, request);
  await captureHold(database.db, request);
  expect(await newsOf(reference)).toMatchObject([
    {
      wallet,
      template: 'transfer_out',
      message: `${reference} confirmed. KES 15.00 sent to Otieno Odhiambo. New balance KES 85.00.`,
    },
    {
      wallet: to,
      template: 'transfer_in',
      message: `${reference} imethibitishwa. Umepokea KES 15.00 kutoka kwa Wanjiku Kamau. Salio jipya KES 15.00.`,
    },
  ]);
});

test('a hold that is placed, refused its capture or given back is told to nobody', async () => {
  const wallet = await openFunded(database, '100.00');
  const phone = await valueOf(database.sql, 'SELECT phone FROM core.wallets WHERE id = $1', [wallet]);
  const told = () => database.sql('SELECT 1 FROM services.sms_logs WHERE recipient = $1', [phone]);
  const before = await told();
  const { id: holdId } = await hold(database.db, { wallet, amount: '40.00', idempotencyKey: newKey() });
  const capture = { holdId, to: 'MPESA-FLOAT', amount: '41.00', idempotencyKey: newKey() };
  await expect(captureHold(database.db, capture)).rejects.toMatchObject({ code: 'exceeds_hold' });
  await releaseHold(database.db, { holdId });
  expect(await told()).toEqual(before);
});
