import { expect, test } from 'vitest';
import { expireHolds } from './hold-expiry.ts';
import { captureHold, findHold, hold, releaseHold } from './holds.ts';
import { openHeld } from '../testing/database/held-wallet.ts';
import { allFaults } from '../testing/ledger/hold-faults.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { FAR_AHEAD, LONG_AGO, endEarly } from '../testing/ledger/late-holds.ts';
import { useTestDb, valueOf } from '../testing/database/test-db.ts';
import { openCustomer, openFunded, setStatus } from '../testing/database/wallet-fixtures.ts';
import { transfer } from './transfers.ts';
import { lookupWallet } from '../wallets/wallets.ts';

const database = useTestDb();
const { sql } = database;

const FLOAT = 'MPESA-FLOAT';
const NOBODY = '00000000-0000-7000-8000-000000000000';

const held = (amount?: string, expiresAt?: Date) => openHeld(database, { amount, expiresAt });

test('a hold leaves the balance as it is and takes from what is available', async () => {
  const { wallet, placed } = await held();
  expect(placed).toMatchObject({ wallet, amount: '40.00', captured: '0.00', status: 'ACTIVE' });
  expect(placed).toMatchObject({ expiresAt: null, available: '60.00', replayed: false });
  const now = await lookupWallet(database.db, wallet);
  expect(now).toMatchObject({ balance: '100.00', held: '40.00', available: '60.00' });
});

test('what is held can be neither sent nor held again', async () => {
  const { wallet } = await held();
  const to = await openCustomer(database.db);
  const sent = transfer(database.db, sampleTransfer({ from: wallet, to, amount: '60.01' }));
  expect(await refusalOf(sent)).toBe('insufficient_funds');
  const again = hold(database.db, { wallet, amount: '60.01', idempotencyKey: newKey() });
  expect(await refusalOf(again)).toBe('insufficient_funds');
  expect((await hold(database.db, { wallet, amount: '60.00', idempotencyKey: newKey() })).available).toBe(
    '0.00',
  );
});

test('the same key and request answer the hold of then, and reserve once', async () => {
  const { wallet, request, placed } = await held('40.00', FAR_AHEAD);
  expect(placed.expiresAt).toEqual(FAR_AHEAD);
  expect(await hold(database.db, request)).toEqual({ ...placed, replayed: true });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ held: '40.00' });
});

test.each(['wallet', 'amount', 'expiresAt', 'narrative'] as const)(
  'the same key with another `%s` is refused',
  async (field) => {
    const { request } = await held();
    const changed = {
      wallet: await openFunded(database, '100.00'),
      amount: '40.01',
      expiresAt: FAR_AHEAD,
      narrative: 'kodi',
    }[field];
    expect(await refusalOf(hold(database.db, { ...request, [field]: changed }))).toBe('key_reused');
  },
);

test('the key of a transfer is no key for a hold, nor the other way round', async () => {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const sent = sampleTransfer({ from, to });
  await transfer(database.db, sent);
  const { idempotencyKey } = sent;
  expect(await refusalOf(hold(database.db, { wallet: from, amount: '10.00', idempotencyKey }))).toBe(
    'key_reused',
  );
  const { request } = await held();
  const reused = sampleTransfer({ from, to, idempotencyKey: request.idempotencyKey });
  expect(await refusalOf(transfer(database.db, reused))).toBe('key_reused');
});

test('a refused hold is remembered although the money arrives afterwards', async () => {
  const wallet = await openCustomer(database.db);
  const request = { wallet, amount: '10.00', idempotencyKey: newKey() };
  expect(await refusalOf(hold(database.db, request))).toBe('insufficient_funds');
  const from = await openFunded(database, '50.00');
  await transfer(database.db, sampleTransfer({ from, to: wallet, amount: '50.00' }));
  expect(await refusalOf(hold(database.db, request))).toBe('insufficient_funds');
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ held: '0.00' });
});

test.each([
  ['FROZEN', 'wallet_frozen'],
  ['CLOSED', 'wallet_closed'],
])('nothing is held in a %s wallet', async (status, code) => {
  const wallet = await openFunded(database, '100.00');
  await setStatus(sql, wallet, status);
  const request = { wallet, amount: '1.00', idempotencyKey: newKey() };
  expect(await refusalOf(hold(database.db, request))).toBe(code);
});

test.each(['NOBODY', FLOAT])('nothing is held in %s', async (wallet) => {
  const request = { wallet, amount: '1.00', idempotencyKey: newKey() };
  expect(await refusalOf(hold(database.db, request))).toBe('unknown_wallet');
});

test.each([new Date(Number.NaN), new Date(8.64e15), new Date(-8.64e15)])(
  'an end that no calendar has (%s) is refused by its field',
  async (expiresAt) => {
    const wallet = await openFunded(database, '100.00');
    const request = hold(database.db, { wallet, amount: '1.00', idempotencyKey: newKey(), expiresAt });
    await expect(request).rejects.toMatchObject({ code: 'invalid_request', field: 'expiresAt' });
  },
);

test('a hold that would end before it begins is refused, and the refusal is remembered', async () => {
  const wallet = await openFunded(database, '100.00');
  const request = { wallet, amount: '1.00', idempotencyKey: newKey(), expiresAt: LONG_AGO };
  expect(await refusalOf(hold(database.db, request))).toBe('expiry_passed');
  expect(await refusalOf(hold(database.db, request))).toBe('expiry_passed');
  expect(await refusalOf(hold(database.db, { ...request, expiresAt: FAR_AHEAD }))).toBe('key_reused');
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ held: '0.00' });
});

test('a hold whose time has passed since it was placed is answered as it was, and is not refused', async () => {
  const { wallet, request, placed } = await held('40.00', FAR_AHEAD);
  await endEarly(database.db, placed.id);
  expect(await hold(database.db, request)).toEqual({ ...placed, expiresAt: LONG_AGO, replayed: true });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ held: '40.00' });
  await releaseHold(database.db, { holdId: placed.id });
});

test('a hold is found as it is now, and an unknown hold is not found', async () => {
  const { placed } = await held();
  const { replayed, ...view } = placed;
  expect(replayed).toBe(false);
  expect(await findHold(database.db, placed)).toEqual(view);
  const paid = { holdId: placed.id, to: FLOAT, amount: '15.00', idempotencyKey: newKey() };
  const { reference } = await captureHold(database.db, paid);
  expect(await findHold(database.db, placed)).toEqual({
    ...view,
    status: 'CAPTURED',
    captureReference: reference,
    captured: '15.00',
    available: '85.00',
  });
  for (const id of [NOBODY, 'no-uuid', '']) expect(await findHold(database.db, { id })).toBeNull();
});

test('a released hold is released for good, and saying so again answers the same', async () => {
  const { wallet, placed } = await held();
  const released = await releaseHold(database.db, { holdId: placed.id });
  expect(released).toMatchObject({
    status: 'RELEASED',
    captured: '0.00',
    available: '100.00',
    replayed: false,
  });
  expect(await releaseHold(database.db, { holdId: placed.id })).toEqual({ ...released, replayed: true });
  const capture = captureHold(database.db, { holdId: placed.id, to: FLOAT, idempotencyKey: newKey() });
  expect(await refusalOf(capture)).toBe('hold_closed');
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ balance: '100.00', held: '0.00' });
});

test('a repeat gets the first answer, whatever has happened to the wallet and the hold since', async () => {
  const { wallet, request, placed } = await held();
  const other = await held();
  const change = async () => {
    const from = await openFunded(database, '7.00');
    await transfer(database.db, sampleTransfer({ from, to: wallet, amount: '7.00' }));
    await hold(database.db, { wallet, amount: '1.00', idempotencyKey: newKey() });
  };
  await change();
  expect(await hold(database.db, request)).toEqual({ ...placed, replayed: true });
  const capture = { holdId: placed.id, to: FLOAT, amount: '15.00', idempotencyKey: newKey() };
  const paid = await captureHold(database.db, capture);
  expect(paid.hold).toMatchObject({ status: 'CAPTURED', captured: '15.00', available: '91.00' });
  await change();
  expect(await captureHold(database.db, capture)).toEqual({
    ...paid,
    replayed: true,
    hold: { ...paid.hold, replayed: true },
  });
  // Placed and not yet paid out: that is what was answered then.
  expect(await hold(database.db, request)).toEqual({ ...placed, replayed: true });
  const released = await releaseHold(database.db, { holdId: other.placed.id });
  await transfer(database.db, sampleTransfer({ from: other.wallet, to: wallet, amount: '50.00' }));
  expect(await releaseHold(database.db, { holdId: other.placed.id })).toEqual({
    ...released,
    replayed: true,
  });
});

test('a repeat of a hold from before answers were kept gets what is available now', async () => {
  const { request, placed } = await held();
  await sql('BEGIN');
  await sql(`SELECT set_config('daftari.door', 'open', true)`);
  await sql('UPDATE core.holds SET placed_available = NULL WHERE id = $1', [placed.id]);
  await sql('COMMIT');
  await hold(database.db, { wallet: placed.wallet, amount: '10.00', idempotencyKey: newKey() });
  expect(await hold(database.db, request)).toEqual({ ...placed, available: '50.00', replayed: true });
});

test('a captured hold is not released', async () => {
  const { placed } = await held();
  await captureHold(database.db, { holdId: placed.id, to: FLOAT, idempotencyKey: newKey() });
  expect(await refusalOf(releaseHold(database.db, { holdId: placed.id }))).toBe('hold_closed');
});

test('a hold whose time is over is not captured, and the expiry gives its money back once', async () => {
  const { wallet, placed } = await held('40.00', FAR_AHEAD);
  await endEarly(database.db, placed.id);
  const lasting = await hold(database.db, {
    wallet,
    amount: '5.00',
    idempotencyKey: newKey(),
    expiresAt: FAR_AHEAD,
  });
  const capture = captureHold(database.db, { holdId: placed.id, to: FLOAT, idempotencyKey: newKey() });
  expect(await refusalOf(capture)).toBe('hold_closed');
  expect(await expireHolds(database.db)).toEqual({ expired: 1, failed: [] });
  expect(await expireHolds(database.db)).toEqual({ expired: 0, failed: [] });
  expect(await findHold(database.db, placed)).toMatchObject({ status: 'EXPIRED', available: '95.00' });
  expect(await refusalOf(releaseHold(database.db, { holdId: placed.id }))).toBe('hold_closed');
  expect(
    (await captureHold(database.db, { holdId: lasting.id, to: FLOAT, idempotencyKey: newKey() })).amount,
  ).toBe('5.00');
});

test('a hold of a frozen wallet still expires', async () => {
  const { wallet, placed } = await held('40.00', FAR_AHEAD);
  await endEarly(database.db, placed.id);
  await setStatus(sql, wallet, 'FROZEN');
  expect(await expireHolds(database.db)).toEqual({ expired: 1, failed: [] });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ held: '0.00' });
});

test('a hold changes through its functions only', async () => {
  const { placed } = await held();
  const edited = sql(`UPDATE core.holds SET status = 'RELEASED', closed_at = now() WHERE id = $1`, [
    placed.id,
  ]);
  await expect(edited).rejects.toMatchObject({ code: 'DF003' });
  await expect(sql('DELETE FROM core.holds WHERE id = $1', [placed.id])).rejects.toMatchObject({
    code: 'DF003',
  });
  await expect(sql('TRUNCATE core.holds')).rejects.toMatchObject({ code: 'DF001' });
  const made = sql('INSERT INTO core.holds (wallet_id, amount) VALUES ($1, 1)', [placed.wallet]);
  await expect(made).rejects.toMatchObject({ code: 'DF003' });
});

test('after a hold, a capture and a release the door is closed again, also within their transaction', async () => {
  const { placed } = await held();
  const other = await held();
  for (const [text, values] of [
    [`SELECT core.place_hold($1, 'digest', $2, 1, NULL, NULL)`, [newKey(), placed.wallet]],
    [
      `SELECT core.capture_hold($1, 'digest', $2, 'MPESA-FLOAT', NULL, 'DF-CLOSED', NULL)`,
      [newKey(), placed.id],
    ],
    // Refused, for another path through the function.
    [
      `SELECT core.capture_hold($1, 'digest', $2, 'NOBODY', NULL, 'DF-REFUSED', NULL)`,
      [newKey(), other.placed.id],
    ],
    [`SELECT core.release_hold($1, 'RELEASED')`, [other.placed.id]],
  ] as const) {
    await sql('BEGIN');
    await sql(text, values);
    const around = sql('UPDATE core.wallets SET held = held + 1 WHERE id = $1', [placed.wallet]);
    await expect(around).rejects.toMatchObject({ code: 'DF003' });
    await sql('ROLLBACK');
  }
});

test('what was remembered is never forgotten or changed', async () => {
  await held();
  await expect(sql('DELETE FROM core.requests')).rejects.toMatchObject({ code: 'DF001' });
  await expect(sql(`UPDATE core.requests SET outcome = 'POSTED'`)).rejects.toMatchObject({ code: 'DF001' });
  await expect(sql('TRUNCATE core.requests')).rejects.toMatchObject({ code: 'DF001' });
});

test('after all of this the ledger is sound', async () => {
  expect(await valueOf(sql, 'SELECT count(*)::integer FROM core.holds')).toBeGreaterThan(20);
  expect(await allFaults(sql)).toEqual([]);
});
