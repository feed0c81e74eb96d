import { expect, test } from 'vitest';
import { databaseCode } from '../connection/database-error.ts';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { hold } from '../ledger/holds.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { connect, useTestDb, valueOf } from '../testing/database/test-db.ts';
import { newPhone, openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';
import { transfer } from '../ledger/transfers.ts';
import { setWalletFloor, updateWallet } from './wallet-changes.ts';
import { closeWallet, freezeWallet } from './wallet-status.ts';

const database = useTestDb();
const { sql } = database;

const eventsOf = (wallet: string) =>
  sql(
    `SELECT changed, old_value, new_value, actor, reason FROM core.wallet_events WHERE wallet_id = $1 ORDER BY created_at, changed`,
    [wallet],
  );

const FLOOR_GONE = 'UPDATE core.wallets SET min_balance = NULL';

test.for([
  FLOOR_GONE,
  `UPDATE core.wallets SET status = 'FROZEN' WHERE id = 'MPESA-FLOAT'`,
  `UPDATE core.wallets SET kind = 'SYSTEM' WHERE kind = 'CUSTOMER'`,
  `UPDATE core.wallets SET holder_name = 'Somebody else'`,
  `UPDATE core.wallets SET phone = '254700000666'`,
  `UPDATE core.wallets SET language = 'sw'`,
  `UPDATE core.wallets SET created_at = now()`,
  `UPDATE core.wallets SET updated_at = now() WHERE false`,
])('%s is refused, with the functions to call', async (text) => {
  await expect(sql(text)).rejects.toMatchObject({
    code: 'DF003',
    hint: expect.stringMatching(/updateWallet/),
  });
});

test.for([
  `INSERT INTO core.wallets (id, holder_name) VALUES ('MINE', 'x')`,
  `INSERT INTO core.wallets (id, holder_name, kind, min_balance) VALUES ('MINT', 'x', 'SYSTEM', NULL)`,
  `INSERT INTO core.wallets (id, holder_name, min_balance) VALUES ('RICH', 'x', -1000000)`,
  `INSERT INTO core.wallets (id, holder_name, balance) VALUES ('RICH', 'x', 100)`,
  `INSERT INTO core.wallets SELECT * FROM core.wallets ON CONFLICT DO NOTHING`,
])('%s is refused, with the function to call', async (text) => {
  await expect(sql(text)).rejects.toMatchObject({ code: 'DF003', hint: expect.stringMatching(/openWallet/) });
});

test('even through the open door no wallet opens with money or postings in it', async () => {
  await sql(`SELECT set_config('daftari.door', 'open', false)`);
  try {
    for (const column of ['balance', 'held', 'version']) {
      const opening = sql(`INSERT INTO core.wallets (id, holder_name, ${column}) VALUES ('RICH', 'x', 5)`);
      await expect(opening).rejects.toMatchObject({ code: 'DF003' });
    }
  } finally {
    await sql(`SELECT set_config('daftari.door', '', false)`);
  }
});

test("Prisma's model can neither edit nor make a wallet", async () => {
  const id = await openCustomer(database.db);
  const { wallet } = database.db.prisma;
  const writing = await Promise.allSettled([
    wallet.update({ where: { id }, data: { minBalance: null } }),
    wallet.update({ where: { id }, data: { holderName: 'Somebody else' } }),
    wallet.updateMany({ data: { status: 'ACTIVE' } }),
    wallet.create({ data: { id: 'MINE', holderName: 'x' } }),
    wallet.upsert({ where: { id }, create: { id, holderName: 'x' }, update: { phone: null } }),
  ]);
  const codes = writing.map((result) => result.status === 'rejected' && databaseCode(result.reason as Error));
  expect(codes).toEqual(writing.map(() => 'DF003'));
});

test('a floor still holds after an attempt to take it away', async () => {
  const [from, to] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
  await sql(FLOOR_GONE).catch(() => undefined);
  const moving = transfer(database.db, sampleTransfer({ from, to, amount: '1000000.00' }));
  expect(await refusalOf(moving)).toBe('insufficient_funds');
});

test('who a wallet belongs to changes with a trace of what, who and why', async () => {
  const number = await openCustomer(database.db, { holderName: 'Wanjiku Kamau', phone: '0712000001' });
  const wallet = await updateWallet(database.db, {
    number,
    holderName: ' Wanjiku Njeri ',
    phone: '0712 000-002',
    language: 'sw',
    actor: 'back office',
    reason: 'married',
  });
  expect(wallet).toMatchObject({
    number,
    holderName: 'Wanjiku Njeri',
    phone: '254712000002',
    language: 'sw',
  });
  const trace = { actor: 'back office', reason: 'married' };
  expect(await eventsOf(number)).toEqual([
    { changed: 'holder_name', old_value: 'Wanjiku Kamau', new_value: 'Wanjiku Njeri', ...trace },
    { changed: 'phone', old_value: '254712000001', new_value: '254712000002', ...trace },
    { changed: 'language', old_value: 'en', new_value: 'sw', ...trace },
  ]);
});

test('without an actor the trace names the database role', async () => {
  const number = await openCustomer(database.db);
  await freezeWallet(database.db, { wallet: number, reason: 'x' });
  const role = await valueOf(sql, 'SELECT session_user::text');
  expect(await eventsOf(number)).toMatchObject([{ actor: role }]);
});

test('what is the same already leaves no trace', async () => {
  const phone = newPhone();
  const number = await openCustomer(database.db, { holderName: 'Otieno', phone });
  await updateWallet(database.db, { number, holderName: 'Otieno', phone, language: 'en', reason: 'x' });
  await setWalletFloor(database.db, { number, floor: '0', reason: 'x' });
  expect(await eventsOf(number)).toEqual([]);
});

test('payments by phone go where the phone belongs now, and nowhere when it was given up', async () => {
  const [old, phone] = [newPhone(), newPhone()];
  const number = await openCustomer(database.db, { phone: old });
  await updateWallet(database.db, { number, phone, reason: 'a new SIM' });
  const pay = async (account: string) =>
    (await recordDeposit(database.db, sampleDeposit({ account }))).outcome;
  expect([await pay(phone), await pay(old)]).toEqual(['credited', 'suspense']);
  await updateWallet(database.db, { number, phone: null, reason: 'given up' });
  expect(await pay(phone)).toBe('suspense');
});

test.for([
  ['holderName', { holderName: ' ' }],
  ['holderName', { holderName: 'x'.repeat(121) }],
  ['holderName', { holderName: 'a\0' }],
  ['phone', { phone: 'call me' }],
  ['phone', { phone: '' }],
  ['phone', { phone: ' - ' }],
  ['phone', { phone: '+255712345678' }],
] as const)('a wallet whose %s cannot be is not changed', async ([field, change]) => {
  const number = await openCustomer(database.db);
  const changing = updateWallet(database.db, { number, ...change, reason: 'x' });
  await expect(changing).rejects.toMatchObject({ code: 'invalid_wallet', field });
  expect(await eventsOf(number)).toEqual([]);
});

test('callers from SQL get the same refusals', async () => {
  const number = await openCustomer(database.db);
  const change = (name: string | null, phone: string | null) =>
    valueOf(sql, `SELECT reason FROM core.change_wallet($1, $2, $3, NULL, 'x')`, [number, name, phone]);
  expect(await change(' x', null)).toBe('invalid_holder_name');
  expect(await change(null, '12')).toBe('invalid_phone');
  expect(await valueOf(sql, `SELECT reason FROM core.open_wallet('', 'x', NULL)`)).toBe('invalid_number');
  expect(await valueOf(sql, `SELECT reason FROM core.open_wallet('N1', NULL, NULL)`)).toBe(
    'invalid_holder_name',
  );
});

test('nobody changes a system wallet, a closed one or one that is not there', async () => {
  const closed = await openCustomer(database.db);
  await closeWallet(database.db, { wallet: closed, reason: 'x' });
  for (const [number, code] of [
    ['MPESA-FLOAT', 'unknown_wallet'],
    ['SUSPENSE', 'unknown_wallet'],
    ['1000000000', 'unknown_wallet'],
    [closed, 'wallet_closed'],
  ] as const) {
    expect(await refusalOf(updateWallet(database.db, { number, holderName: 'Otieno', reason: 'x' }))).toBe(
      code,
    );
    expect(await refusalOf(setWalletFloor(database.db, { number, floor: '-5.00', reason: 'x' }))).toBe(code);
  }
});

test('a floor below zero is credit to the cent, and one above what is available is refused', async () => {
  const [number, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  await hold(database.db, { wallet: number, amount: '40.00', idempotencyKey: newKey() });
  const set = (floor: string) =>
    setWalletFloor(database.db, { number, floor, actor: 'risk', reason: 'a loan' });
  expect(await refusalOf(set('60.01'))).toBe('floor_too_high');
  await set('60.00');
  const pay = (amount: string) => transfer(database.db, sampleTransfer({ from: number, to, amount }));
  expect(await refusalOf(pay('0.01'))).toBe('insufficient_funds');
  await set('-20.00');
  expect(await refusalOf(pay('80.01'))).toBe('insufficient_funds');
  expect(await pay('80.00')).toMatchObject({ balanceAfter: '20.00' });
  expect((await eventsOf(number)).map((event) => [event['old_value'], event['new_value']])).toEqual([
    ['0.00', '60.00'],
    ['60.00', '-20.00'],
  ]);
});

test.for(['', 'ten', '1.001', '--5', '-', '1e3', '123456789012345678'])('"%s" is no floor', async (floor) => {
  const number = await openCustomer(database.db);
  expect(await refusalOf(setWalletFloor(database.db, { number, floor, reason: 'x' }))).toBe('invalid_amount');
});

test('no customer is left without a floor by SQL either', async () => {
  const number = await openCustomer(database.db);
  const reason = await valueOf(sql, `SELECT reason FROM core.set_wallet_floor($1, NULL, 'x')`, [number]);
  expect(reason).toBe('invalid_amount');
});

test('of a floor and a payment at the same time the wallet never ends below its floor', async () => {
  const [number, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  await Promise.allSettled([
    ...Array.from({ length: 10 }, () =>
      transfer(database.db, sampleTransfer({ from: number, to, amount: '9.00' })),
    ),
    ...Array.from({ length: 10 }, (_, i) =>
      setWalletFloor(database.db, { number, floor: `${i * 10}.00`, reason: 'x' }),
    ),
  ]);
  const isSound = `SELECT balance - held >= min_balance FROM core.wallets WHERE id = $1`;
  expect(await valueOf(sql, isSound, [number])).toBe(true);
  const last = `SELECT new_value = (SELECT min_balance::text FROM core.wallets WHERE id = $1)
    FROM core.wallet_events WHERE wallet_id = $1 ORDER BY created_at DESC LIMIT 1`;
  expect(await valueOf(sql, last, [number])).toBe(true);
});

test('the last event of a wallet is the last change of it, also when that transaction began first', async () => {
  const number = await openCustomer(database.db);
  const first = await connect(database.url);
  try {
    await first.query('BEGIN');
    await first.query('SELECT now()'); // stands still in it from here on
    await setWalletFloor(database.db, { number, floor: '-1.00', reason: 'x' });
    await setWalletFloor(database.db, { number, floor: '-2.00', reason: 'x' });
    await first.query(`SELECT core.set_wallet_floor($1, -3, 'x')`, [number]);
    await first.query('COMMIT');
  } finally {
    await first.end();
  }
  expect((await eventsOf(number)).map((event) => event['new_value'])).toEqual(['-1.00', '-2.00', '-3.00']);
});
