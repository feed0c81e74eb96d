import { expect, test } from 'vitest';
import { captureHold, findHold, hold, releaseHold } from './holds.ts';
import { openHeld } from '../testing/database/held-wallet.ts';
import { allFaults } from '../testing/ledger/hold-faults.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey } from '../testing/ledger/requests.ts';
import { useTestDb, valueOf } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer, setStatus } from '../testing/database/wallet-fixtures.ts';
import { lookupWallet } from '../wallets/wallets.ts';

const database = useTestDb();
const { sql } = database;

const FLOAT = 'MPESA-FLOAT';
const NOBODY = '00000000-0000-7000-8000-000000000000';

const held = (amount?: string, expiresAt?: Date) => openHeld(database, { amount, expiresAt });

test('the whole of a hold is paid out by default', async () => {
  const { wallet, placed } = await held();
  const posted = await captureHold(database.db, { holdId: placed.id, to: FLOAT, idempotencyKey: newKey() });
  expect(posted).toMatchObject({ type: 'WITHDRAWAL', from: wallet, to: FLOAT, amount: '40.00' });
  expect(posted).toMatchObject({ balanceAfter: '60.00', fee: '0.00', replayed: false });
  expect(posted.hold).toMatchObject({
    id: placed.id,
    status: 'CAPTURED',
    captured: '40.00',
    available: '60.00',
  });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ balance: '60.00', held: '0.00' });
});

test('a part of a hold is paid out, and the rest can be spent again', async () => {
  const { wallet, placed } = await held();
  const capture = { holdId: placed.id, to: FLOAT, amount: '15.50', idempotencyKey: newKey() };
  const posted = await captureHold(database.db, capture);
  expect(posted.hold).toMatchObject({
    status: 'CAPTURED',
    amount: '40.00',
    captured: '15.50',
    available: '84.50',
  });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ balance: '84.50', held: '0.00' });
});

test('a capture that pays another customer is a transfer', async () => {
  const [{ placed }, to] = [await held(), await openCustomer(database.db)];
  const posted = await captureHold(database.db, { holdId: placed.id, to, idempotencyKey: newKey() });
  expect(posted.type).toBe('TRANSFER');
  expect(await balanceOf(sql, to)).toBe('40.00');
});

test('the same key and request answer the capture of then, and pay once', async () => {
  const { wallet, placed } = await held();
  const capture = { holdId: placed.id, to: FLOAT, idempotencyKey: newKey(), narrative: 'malipo' };
  const first = await captureHold(database.db, capture);
  const again = await captureHold(database.db, capture);
  expect(again).toEqual({ ...first, replayed: true, hold: { ...first.hold, replayed: true } });
  expect(await refusalOf(captureHold(database.db, { ...capture, amount: '1.00' }))).toBe('key_reused');
  expect(await balanceOf(sql, wallet)).toBe('60.00');
});

test('a captured hold names the transaction that paid it out, now and when it is asked for', async () => {
  const { placed, request } = await held();
  expect(placed.captureReference).toBeNull();
  const posted = await captureHold(database.db, { holdId: placed.id, to: FLOAT, idempotencyKey: newKey() });
  expect(posted.hold.captureReference).toBe(posted.reference);
  expect(await findHold(database.db, { id: placed.id })).toMatchObject({
    captureReference: posted.reference,
  });
  const again = await hold(database.db, request);
  expect(again).toMatchObject({ replayed: true, captureReference: null });
});

test('a hold whose id is written in capitals is the same hold, and its capture the same request', async () => {
  const { placed } = await held();
  const capture = { holdId: placed.id, to: FLOAT, idempotencyKey: newKey() };
  const { reference } = await captureHold(database.db, { ...capture, holdId: placed.id.toUpperCase() });
  expect(await captureHold(database.db, capture)).toMatchObject({ reference, replayed: true });
});

test('a hold is captured once, also under another key', async () => {
  const { wallet, placed } = await held();
  await captureHold(database.db, { holdId: placed.id, to: FLOAT, amount: '1.00', idempotencyKey: newKey() });
  const second = captureHold(database.db, {
    holdId: placed.id,
    to: FLOAT,
    amount: '1.00',
    idempotencyKey: newKey(),
  });
  expect(await refusalOf(second)).toBe('hold_closed');
  expect(await balanceOf(sql, wallet)).toBe('99.00');
});

test('more than is held is not captured, and the hold stays', async () => {
  const { wallet, placed } = await held();
  const capture = { holdId: placed.id, to: FLOAT, amount: '40.01', idempotencyKey: newKey() };
  expect(await refusalOf(captureHold(database.db, capture))).toBe('exceeds_hold');
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ balance: '100.00', held: '40.00' });
  const fits = await captureHold(database.db, { ...capture, amount: '40.00', idempotencyKey: newKey() });
  expect(fits.hold.status).toBe('CAPTURED');
});

test.each([NOBODY, 'no-uuid', ''])(
  'an unknown hold ("%s") is neither captured nor released',
  async (holdId) => {
    const capture = captureHold(database.db, { holdId, to: FLOAT, idempotencyKey: newKey() });
    expect(await refusalOf(capture)).toBe('unknown_hold');
    expect(await refusalOf(releaseHold(database.db, { holdId }))).toBe('unknown_hold');
  },
);

test.each([
  ['a frozen wallet', 'wallet_frozen', 'FROZEN'],
  ['a closed wallet', 'wallet_closed', 'CLOSED'],
])('a capture to %s is refused and leaves the hold as it was', async (_, code, status) => {
  const [{ wallet, placed }, to] = [await held(), await openCustomer(database.db)];
  await setStatus(sql, to, status);
  expect(await refusalOf(captureHold(database.db, { holdId: placed.id, to, idempotencyKey: newKey() }))).toBe(
    code,
  );
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ balance: '100.00', held: '40.00' });
  expect((await releaseHold(database.db, { holdId: placed.id })).status).toBe('RELEASED');
});

test('a capture to nobody or to the wallet itself is refused and leaves the hold as it was', async () => {
  const { wallet, placed } = await held();
  const to = async (target: string) =>
    refusalOf(captureHold(database.db, { holdId: placed.id, to: target, idempotencyKey: newKey() }));
  expect(await to('NOBODY')).toBe('unknown_wallet');
  expect(await to(wallet)).toBe('same_wallet');
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ balance: '100.00', held: '40.00' });
});

test('nothing is paid into suspense, where only payments without a wallet wait', async () => {
  const { placed } = await held();
  const capture = captureHold(database.db, { holdId: placed.id, to: 'SUSPENSE', idempotencyKey: newKey() });
  expect(await refusalOf(capture)).toBe('unknown_wallet');
});

test('a hold of a frozen wallet is not paid out, and can be given back', async () => {
  const { wallet, placed } = await held();
  await setStatus(sql, wallet, 'FROZEN');
  const capture = { holdId: placed.id, to: FLOAT, idempotencyKey: newKey() };
  expect(await refusalOf(captureHold(database.db, capture))).toBe('wallet_frozen');
  expect((await releaseHold(database.db, { holdId: placed.id })).available).toBe('100.00');
});

test('a refused capture is remembered: its key gets the same answer when the wallet has thawed', async () => {
  const { wallet, placed } = await held();
  await setStatus(sql, wallet, 'FROZEN');
  const capture = { holdId: placed.id, to: FLOAT, idempotencyKey: newKey() };
  expect(await refusalOf(captureHold(database.db, capture))).toBe('wallet_frozen');
  await setStatus(sql, wallet, 'ACTIVE');
  expect(await refusalOf(captureHold(database.db, capture))).toBe('wallet_frozen');
  const again = await captureHold(database.db, { ...capture, idempotencyKey: newKey() });
  expect(again.hold.status).toBe('CAPTURED');
});

test('after all of this the ledger is sound', async () => {
  expect(await valueOf(sql, 'SELECT count(*)::integer FROM core.holds')).toBeGreaterThan(10);
  expect(await allFaults(sql)).toEqual([]);
});
