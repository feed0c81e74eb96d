import { expect, test } from 'vitest';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { hold, releaseHold } from '../ledger/holds.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';
import { transfer } from '../ledger/transfers.ts';
import { closeWallet, freezeWallet, unfreezeWallet } from './wallet-status.ts';

const database = useTestDb();
const { sql } = database;

const eventsOf = (wallet: string) =>
  sql(
    'SELECT changed, old_value, new_value, reason FROM core.wallet_events WHERE wallet_id = $1 ORDER BY created_at, id',
    [wallet],
  );

const status = (from: string, to: string, reason: string) => ({
  changed: 'status',
  old_value: from,
  new_value: to,
  reason,
});

test('a frozen wallet neither gives nor takes, and a thawed one does again', async () => {
  const [wallet, other] = [await openFunded(database, '100.00'), await openFunded(database, '100.00')];
  expect(await freezeWallet(database.db, { wallet, reason: 'a lost phone' })).toMatchObject({
    status: 'FROZEN',
    balance: '100.00',
  });
  const out = () => transfer(database.db, sampleTransfer({ from: wallet, to: other }));
  const into = () => transfer(database.db, sampleTransfer({ from: other, to: wallet }));
  expect([await refusalOf(out()), await refusalOf(into())]).toEqual(['wallet_frozen', 'wallet_frozen']);
  expect((await unfreezeWallet(database.db, { wallet, reason: 'found' })).status).toBe('ACTIVE');
  await out();
  await into();
  expect(await eventsOf(wallet)).toEqual([
    status('ACTIVE', 'FROZEN', 'a lost phone'),
    status('FROZEN', 'ACTIVE', 'found'),
  ]);
});

test('a deposit to a frozen wallet waits in suspense', async () => {
  const wallet = await openCustomer(database.db);
  await freezeWallet(database.db, { wallet, reason: 'a court order' });
  const deposit = await recordDeposit(database.db, sampleDeposit({ account: wallet }));
  expect(deposit).toMatchObject({ outcome: 'suspense', reason: 'wallet_frozen', wallet: 'SUSPENSE' });
});

test('freezing what is frozen changes nothing and is written down once', async () => {
  const wallet = await openCustomer(database.db);
  for (let i = 0; i < 3; i += 1) await freezeWallet(database.db, { wallet, reason: `time ${i}` });
  expect(await eventsOf(wallet)).toEqual([status('ACTIVE', 'FROZEN', 'time 0')]);
});

test('a wallet closes only when it is empty, and then for good', async () => {
  const [wallet, other] = [await openFunded(database, '100.00'), await openFunded(database, '1.00')];
  const close = () => closeWallet(database.db, { wallet, reason: 'the holder asked' });
  expect(await refusalOf(close())).toBe('wallet_not_empty');
  await transfer(database.db, sampleTransfer({ from: wallet, to: other, amount: '100.00' }));
  expect(await close()).toMatchObject({ status: 'CLOSED', balance: '0.00' });
  expect((await close()).status).toBe('CLOSED');
  const change = { wallet, reason: 'regret' };
  expect(await refusalOf(unfreezeWallet(database.db, change))).toBe('wallet_closed');
  expect(await refusalOf(freezeWallet(database.db, change))).toBe('wallet_closed');
  expect(
    await refusalOf(transfer(database.db, sampleTransfer({ from: other, to: wallet, amount: '1.00' }))),
  ).toBe('wallet_closed');
  expect(await eventsOf(wallet)).toEqual([status('ACTIVE', 'CLOSED', 'the holder asked')]);
});

test('a wallet whose money is held does not close before the hold is gone', async () => {
  const wallet = await openFunded(database, '10.00');
  const { id } = await hold(database.db, { wallet, amount: '10.00', idempotencyKey: newKey() });
  const close = () => closeWallet(database.db, { wallet, reason: 'the holder asked' });
  expect(await refusalOf(close())).toBe('wallet_not_empty');
  await releaseHold(database.db, { holdId: id });
  expect(await refusalOf(close())).toBe('wallet_not_empty');
});

test('a frozen wallet that is empty can be closed', async () => {
  const wallet = await openCustomer(database.db);
  await freezeWallet(database.db, { wallet, reason: 'a lost phone' });
  expect((await closeWallet(database.db, { wallet, reason: 'never found' })).status).toBe('CLOSED');
});

test.each([freezeWallet, unfreezeWallet, closeWallet])(
  '%o knows customers only and wants a reason',
  async (change) => {
    expect(await refusalOf(change(database.db, { wallet: 'NOBODY', reason: 'x' }))).toBe('unknown_wallet');
    expect(await refusalOf(change(database.db, { wallet: 'MPESA-FLOAT', reason: 'x' }))).toBe(
      'unknown_wallet',
    );
    expect(await refusalOf(change(database.db, { wallet: 'NOBODY', reason: '' }))).toBe('invalid_request');
  },
);

test('who froze a wallet and why is never changed afterwards', async () => {
  await expect(sql('DELETE FROM core.wallet_events')).rejects.toMatchObject({ code: 'DF001' });
  await expect(sql(`UPDATE core.wallet_events SET reason = ''`)).rejects.toMatchObject({ code: 'DF001' });
});
