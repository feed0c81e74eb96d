import { expect, test } from 'vitest';
import { AmountError } from '../errors.ts';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { countPostings, newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { useTestDb, valueOf } from '../testing/database/test-db.ts';
import {
  balanceOf,
  openCustomer,
  openFunded,
  setGuarded,
  setStatus,
} from '../testing/database/wallet-fixtures.ts';
import { transfer, transfers } from './transfers.ts';
import { verificationHash } from './verification-hash.ts';

const database = useTestDb();
const { sql } = database;

test('a transfer moves the amount and answers with the transaction as it is in the ledger', async () => {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const posted = await transfer(database.db, sampleTransfer({ from, to, amount: '30.00' }));
  expect(posted).toMatchObject({ type: 'TRANSFER', from, to, amount: '30.00', currency: 'KES' });
  expect(posted).toMatchObject({ balanceAfter: '70.00', fee: '0.00', replayed: false });
  expect(posted.reference).toMatch(/^DF-[0-9A-HJKMNP-TV-Z]{12}$/);
  const { reference, amount, createdAt } = posted;
  expect(posted.verificationHash).toBe(verificationHash({ reference, amount, createdAt }));
  const [row] = await sql(
    `SELECT id::text, reference, type, debit_wallet_id, credit_wallet_id, amount::text FROM core.transactions
      WHERE credit_wallet_id = $1`,
    [to],
  );
  expect(row).toEqual({
    id: posted.transactionId,
    reference,
    type: 'TRANSFER',
    debit_wallet_id: from,
    credit_wallet_id: to,
    amount: '30.00',
  });
  expect([await balanceOf(sql, from), await balanceOf(sql, to)]).toEqual(['70.00', '30.00']);
});

test('all that a wallet has can leave it', async () => {
  const [from, to] = [await openFunded(database, '25.50'), await openCustomer(database.db)];
  const posted = await transfer(database.db, sampleTransfer({ from, to, amount: '25.50' }));
  expect(posted.balanceAfter).toBe('0.00');
});

test('an amount with zeros behind the second decimal is the same amount', async () => {
  const [from, to] = [await openFunded(database, '25.50'), await openCustomer(database.db)];
  const posted = await transfer(database.db, sampleTransfer({ from, to, amount: '0001.2500' }));
  expect(posted.amount).toBe('1.25');
});

test('a cent more than the balance is refused, and nothing moves', async () => {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const request = sampleTransfer({ from, to, amount: '100.01' });
  expect(await refusalOf(transfer(database.db, request))).toBe('insufficient_funds');
  expect([await balanceOf(sql, from), await balanceOf(sql, to)]).toEqual(['100.00', '0.00']);
  expect(await countPostings(sql, [to])).toBe(0);
});

test('what is held cannot be sent', async () => {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  await setGuarded(sql, from, { held: '40.00' });
  const request = sampleTransfer({ from, to, amount: '60.01' });
  expect(await refusalOf(transfer(database.db, request))).toBe('insufficient_funds');
  expect((await transfer(database.db, sampleTransfer({ from, to, amount: '60.00' }))).balanceAfter).toBe(
    '40.00',
  );
  await setGuarded(sql, from, { held: '0.00' });
});

test.each([
  ['FROZEN', 'from', 'wallet_frozen'],
  ['FROZEN', 'to', 'wallet_frozen'],
  ['CLOSED', 'from', 'wallet_closed'],
  ['CLOSED', 'to', 'wallet_closed'],
] as const)('a %s wallet as `%s` is refused, and nothing moves', async (status, side, code) => {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  await setStatus(sql, side === 'from' ? from : to, status);
  expect(await refusalOf(transfer(database.db, sampleTransfer({ from, to })))).toBe(code);
  expect([await balanceOf(sql, from), await balanceOf(sql, to)]).toEqual(['100.00', '0.00']);
});

test('an unknown wallet is refused on either side', async () => {
  const wallet = await openFunded(database, '100.00');
  const [sent, received] = [
    { from: wallet, to: 'NOBODY' },
    { from: 'NOBODY', to: wallet },
  ];
  expect(await refusalOf(transfer(database.db, sampleTransfer(sent)))).toBe('unknown_wallet');
  expect(await refusalOf(transfer(database.db, sampleTransfer(received)))).toBe('unknown_wallet');
  expect(await balanceOf(sql, wallet)).toBe('100.00');
});

test.each(['MPESA-FLOAT', 'SUSPENSE', 'FEES'])(
  '%s is nobody to a transfer, on either side',
  async (system) => {
    const wallet = await openFunded(database, '100.00');
    const before = await balanceOf(sql, system);
    const [sent, received] = [
      { from: wallet, to: system },
      { from: system, to: wallet },
    ];
    expect(await refusalOf(transfer(database.db, sampleTransfer(received)))).toBe('unknown_wallet');
    expect(await refusalOf(transfer(database.db, sampleTransfer(sent)))).toBe('unknown_wallet');
    expect([await balanceOf(sql, wallet), await balanceOf(sql, system)]).toEqual(['100.00', before]);
  },
);

test('money does not move from a wallet to itself', async () => {
  const wallet = await openFunded(database, '100.00');
  const request = sampleTransfer({ from: wallet, to: wallet });
  expect(await refusalOf(transfer(database.db, request))).toBe('same_wallet');
});

test('a transfer in another currency is refused, and its key gets this answer forever', async () => {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const request = { ...sampleTransfer({ from, to }), currency: 'USD' };
  expect(await refusalOf(transfer(database.db, request))).toBe('currency_mismatch');
  expect(await refusalOf(transfer(database.db, request))).toBe('currency_mismatch');
  expect(await refusalOf(transfer(database.db, { ...request, currency: 'KES' }))).toBe('key_reused');
  expect(await balanceOf(sql, from)).toBe('100.00');
});

test('wallets of two currencies do not pay each other', async () => {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  await setGuarded(sql, to, { currency: 'UGX' });
  expect(await refusalOf(transfer(database.db, sampleTransfer({ from, to })))).toBe('currency_mismatch');
  const back = sampleTransfer({ from: to, to: from });
  expect(await refusalOf(transfer(database.db, back))).toBe('currency_mismatch');
});

test.each([
  ['0', 'zero'],
  ['0.00', 'zero'],
  ['-1.00', 'negative'],
  ['1.001', 'too_many_decimals'],
  ['1e3', 'malformed'],
  ['1,000.00', 'malformed'],
  ['', 'malformed'],
  [' 1', 'malformed'],
  ['NaN', 'malformed'],
  ['100000000000000000.00', 'too_large'],
] as const)('the amount "%s" is refused as %s, and its key stays free', async (amount, fault) => {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const request = sampleTransfer({ from, to, amount });
  const refused = transfer(database.db, request);
  await expect(refused).rejects.toBeInstanceOf(AmountError);
  await expect(refused).rejects.toMatchObject({ code: 'invalid_amount', fault });
  const [inBatch] = await transfers(database.db, [request]);
  expect(inBatch).toMatchObject({ ok: false, code: 'invalid_amount', error: { fault } });
  expect((await transfer(database.db, { ...request, amount: '1.00' })).amount).toBe('1.00');
});

test.each([
  ['from', { from: '' }],
  ['to', { to: 'x'.repeat(21) }],
  ['to', { to: 'a\0b' }],
  ['idempotencyKey', { idempotencyKey: '' }],
  ['idempotencyKey', { idempotencyKey: 'k'.repeat(256) }],
  ['idempotencyKey', { idempotencyKey: 'k\ud800' }],
  ['currency', { currency: '' }],
  ['currency', { currency: 'KESH' }],
  ['narrative', { narrative: 'n'.repeat(256) }],
  ['narrative', { narrative: 'a\0b' }],
] as const)('a request whose `%s` is unfit is refused before it reaches the database', async (_, facts) => {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const request = sampleTransfer({ from, to, ...facts });
  expect(await refusalOf(transfer(database.db, request))).toBe('invalid_request');
  expect(await balanceOf(sql, from)).toBe('100.00');
});

test('a narrative and a key of any script arrive as they were written', async () => {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const narrative = 'Kodi ya "Ñyumba" \\ {NULL}, Machi — 家賃 🏠';
  const idempotencyKey = `${newKey()}-"ufunguo"\\{🗝},NULL`;
  const request = sampleTransfer({ from, to, narrative, idempotencyKey });
  const posted = await transfer(database.db, request);
  const found = await sql('SELECT narrative, idempotency_key FROM core.transactions WHERE reference = $1', [
    posted.reference,
  ]);
  expect(found).toEqual([{ narrative, idempotency_key: idempotencyKey }]);
  expect(await transfer(database.db, request)).toEqual({ ...posted, replayed: true });
});

test('255 characters of key and narrative fit, however many bytes they have', async () => {
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  const longest = '🗝'.repeat(250) + newKey().slice(-5).padStart(5, '0');
  const posted = await transfer(
    database.db,
    sampleTransfer({ from, to, narrative: longest, idempotencyKey: longest }),
  );
  expect(posted.replayed).toBe(false);
});

test('a batch is done in its order: money that an earlier item brings can be spent by a later one', async () => {
  const [one, two] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
  const three = await openCustomer(database.db);
  const results = await transfers(database.db, [
    sampleTransfer({ from: two, to: three, amount: '10.00' }),
    sampleTransfer({ from: one, to: two, amount: '10.00' }),
    sampleTransfer({ from: two, to: three, amount: '10.00' }),
    sampleTransfer({ from: three, to: one, amount: '4.00' }),
  ]);
  expect(results).toMatchObject([
    { ok: false, code: 'insufficient_funds' },
    { ok: true, balanceAfter: '0.00' },
    { ok: true, balanceAfter: '0.00' },
    { ok: true, balanceAfter: '6.00' },
  ]);
});

test('each answer of a batch belongs to its own request, also where some never reach the database', async () => {
  const [from, to] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
  const results = await transfers(database.db, [
    sampleTransfer({ from, to, amount: '0' }),
    sampleTransfer({ from, to, amount: '1.00' }),
    sampleTransfer({ from: '', to }),
    sampleTransfer({ from, to, amount: '99.00' }),
    sampleTransfer({ from, to, amount: '2.00' }),
  ]);
  expect(results).toMatchObject([
    { ok: false, code: 'invalid_amount' },
    { ok: true, amount: '1.00' },
    { ok: false, code: 'invalid_request' },
    { ok: false, code: 'insufficient_funds' },
    { ok: true, amount: '2.00' },
  ]);
});

test('an empty batch and a batch of nothing but invalid requests cost no round trip', async () => {
  expect(await transfers(database.db, [])).toEqual([]);
  const [result] = await transfers(database.db, [sampleTransfer({ from: '', to: '' })]);
  expect(result).toMatchObject({ ok: false, code: 'invalid_request', error: { field: 'from' } });
});

test('a batch larger than the order of one millisecond holds keeps every posting', async () => {
  const [from, to] = [await openFunded(database, '5000.00'), await openCustomer(database.db)];
  const many = Array.from({ length: 4_200 }, () => sampleTransfer({ from, to, amount: '1.00' }));
  const results = await transfers(database.db, many);
  expect(results.every((result) => result.ok)).toBe(true);
  expect(await balanceOf(sql, to)).toBe('4200.00');
  expect(await valueOf(sql, 'SELECT version::integer FROM core.wallets WHERE id = $1', [to])).toBe(4_200);
});

test('after all of this the ledger is sound', async () => {
  expect(await ledgerFaults(sql)).toEqual([]);
});
