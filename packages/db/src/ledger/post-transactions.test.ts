import { expect, test } from 'vitest';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { post } from '../testing/database/post.ts';
import { newReceipt } from '../testing/deposits/sample-deposit.ts';
import { openTestDb, useTestDb, valueOf } from '../testing/database/test-db.ts';
import {
  balanceOf,
  openCustomer,
  openFunded,
  setGuarded,
  setStatus,
} from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();

/** Two wallets, the first with 100.00 in it. */
async function pair(): Promise<{ from: string; to: string }> {
  return { from: await openFunded(database, '100.00'), to: await openCustomer(database.db) };
}

const refused = (reason: string) => ({
  outcome: 'refused',
  reason,
  credited: null,
  debitBalance: null,
  creditBalance: null,
});

test('a posting moves the money and returns both balances after it', async () => {
  const { from, to } = await pair();
  const [posted] = await post(database.sql, [{ reference: newReceipt(), from, to, amount: '30.25' }]);
  expect(posted).toEqual({
    outcome: 'created',
    reason: null,
    credited: to,
    debitBalance: '69.75',
    creditBalance: '30.25',
  });
  expect([await balanceOf(database.sql, from), await balanceOf(database.sql, to)]).toEqual([
    '69.75',
    '30.25',
  ]);
});

test('a batch without postings has no outcomes', async () => {
  expect(await post(database.sql, [])).toEqual([]);
});

test.for([
  ['below zero', '-1.00'],
  ['of zero', '0.00'],
  ['with a part of a cent', '0.005'],
  ['with a part of a cent behind many zeros', '1.0000000001'],
  ['that is no number', 'NaN'],
  ['without end', 'Infinity'],
  ['without end below zero', '-Infinity'],
  ['beyond the column', '100000000000000000.00'],
  ['that is missing', null],
] as const)('an amount %s is refused', async ([, amount]) => {
  const { from, to } = await pair();
  const posted = await post(database.sql, [{ reference: newReceipt(), from, to, amount }]);
  expect(posted).toEqual([refused('invalid_amount')]);
});

test.for([
  ['debit', { from: 'NOBODY' }],
  ['credit', { to: 'NOBODY' }],
  ['missing debit', { from: null }],
  ['missing credit', { to: null }],
] as const)('an unknown %s wallet is refused', async ([, change]) => {
  const posting = { reference: newReceipt(), ...(await pair()), amount: '1.00', ...change };
  expect(await post(database.sql, [posting])).toEqual([refused('unknown_wallet')]);
});

test.for([
  ['FROZEN', 'wallet_frozen'],
  ['CLOSED', 'wallet_closed'],
] as const)('a %s wallet neither gives nor takes', async ([status, reason]) => {
  const { from, to } = await pair();
  await setStatus(database.sql, to, status);
  const taking = await post(database.sql, [{ reference: newReceipt(), from, to, amount: '1.00' }]);
  await setStatus(database.sql, to, 'ACTIVE');
  await setStatus(database.sql, from, status);
  const giving = await post(database.sql, [{ reference: newReceipt(), from, to, amount: '1.00' }]);
  expect([...taking, ...giving]).toEqual([refused(reason), refused(reason)]);
});

test('money does not go from a wallet to itself', async () => {
  const { from } = await pair();
  const posted = await post(database.sql, [{ reference: newReceipt(), from, to: from, amount: '1.00' }]);
  expect(posted).toEqual([refused('same_wallet')]);
});

test.for([['debit'], ['credit']] as const)('a %s wallet of another currency is refused', async ([side]) => {
  const { from, to } = await pair();
  await setGuarded(database.sql, side === 'debit' ? from : to, { currency: 'UGX' });
  const posted = await post(database.sql, [{ reference: newReceipt(), from, to, amount: '1.00' }]);
  expect(posted).toEqual([refused('currency_mismatch')]);
});

test('shillings of Uganda move between wallets of Uganda', async () => {
  const { from, to } = await pair();
  await setGuarded(database.sql, from, { currency: 'UGX' });
  await setGuarded(database.sql, to, { currency: 'UGX' });
  const posted = await post(database.sql, [
    { reference: newReceipt(), from, to, amount: '1.00', currency: 'UGX' },
  ]);
  expect(posted).toMatchObject([{ outcome: 'created' }]);
});

test('the last cent can be spent', async () => {
  const { from, to } = await pair();
  const posted = await post(database.sql, [{ reference: newReceipt(), from, to, amount: '100.00' }]);
  expect(posted).toMatchObject([{ outcome: 'created', debitBalance: '0.00' }]);
});

test('one cent more than the balance cannot', async () => {
  const { from, to } = await pair();
  const posted = await post(database.sql, [{ reference: newReceipt(), from, to, amount: '100.01' }]);
  expect(posted).toEqual([refused('insufficient_funds')]);
  expect(await balanceOf(database.sql, from)).toBe('100.00');
});

test('what is held cannot be spent, to the cent', async () => {
  const { from, to } = await pair();
  await setGuarded(database.sql, from, { held: '40.00' });
  const posted = await post(database.sql, [
    { reference: newReceipt(), from, to, amount: '60.01' },
    { reference: newReceipt(), from, to, amount: '60.00' },
  ]);
  expect(posted.map(({ outcome }) => outcome)).toEqual(['refused', 'created']);
});

test('a floor above zero is kept, to the cent', async () => {
  const { from, to } = await pair();
  await setGuarded(database.sql, from, { floor: '10' });
  const posted = await post(database.sql, [
    { reference: newReceipt(), from, to, amount: '90.01' },
    { reference: newReceipt(), from, to, amount: '90.00' },
  ]);
  expect(posted.map(({ outcome }) => outcome)).toEqual(['refused', 'created']);
});

test('a floor below zero is credit that can be used up, to the cent', async () => {
  const { from, to } = await pair();
  await setGuarded(database.sql, from, { floor: '-50' });
  const posted = await post(database.sql, [
    { reference: newReceipt(), from, to, amount: '150.01' },
    { reference: newReceipt(), from, to, amount: '150.00' },
  ]);
  expect(posted).toMatchObject([{ outcome: 'refused' }, { outcome: 'created', debitBalance: '-50.00' }]);
});

test('money that came in earlier in the batch can be spent later in it', async () => {
  const { from, to } = await pair();
  const third = await openCustomer(database.db);
  const posted = await post(database.sql, [
    { reference: newReceipt(), from: to, to: third, amount: '5.00' },
    { reference: newReceipt(), from, to, amount: '5.00' },
    { reference: newReceipt(), from: to, to: third, amount: '5.00' },
  ]);
  expect(posted.map(({ outcome }) => outcome)).toEqual(['refused', 'created', 'created']);
});

test('what is refused in the middle of a batch leaves the rest alone', async () => {
  const { from, to } = await pair();
  const posted = await post(database.sql, [
    { reference: newReceipt(), from, to, amount: '60.00' },
    { reference: newReceipt(), from, to, amount: '60.00' },
    { reference: newReceipt(), from, to, amount: '40.00' },
  ]);
  expect(posted.map(({ outcome }) => outcome)).toEqual(['created', 'refused', 'created']);
});

test('the same posting again exists', async () => {
  const posting = { reference: newReceipt(), ...(await pair()), amount: '10.00' };
  await post(database.sql, [posting]);
  expect(await post(database.sql, [posting])).toMatchObject([{ outcome: 'exists' }]);
  expect(await balanceOf(database.sql, posting.from)).toBe('90.00');
});

test.for([['amount'], ['debit'], ['credit']] as const)(
  'the same reference with another %s exists as something else',
  async ([field]) => {
    const posting = { reference: newReceipt(), ...(await pair()), amount: '10.00' };
    await post(database.sql, [posting]);
    const other = await openFunded(database, '100.00');
    const change = { amount: { amount: '10.01' }, debit: { from: other }, credit: { to: other } }[field];
    const posted = await post(database.sql, [{ ...posting, ...change }]);
    expect(posted).toMatchObject([{ outcome: 'exists_different' }]);
  },
);

test('a reference that comes twice in one batch counts once', async () => {
  const posting = { reference: newReceipt(), ...(await pair()), amount: '10.00' };
  const posted = await post(database.sql, [posting, posting, { ...posting, amount: '11.00' }]);
  expect(posted.map(({ outcome }) => outcome)).toEqual(['created', 'exists', 'exists_different']);
  expect(await balanceOf(database.sql, posting.to)).toBe('10.00');
});

test('a reference that was refused is free for the next', async () => {
  const posting = { reference: newReceipt(), ...(await pair()), amount: '10.00' };
  const posted = await post(database.sql, [{ ...posting, amount: '1000.00' }, posting]);
  expect(posted.map(({ outcome }) => outcome)).toEqual(['refused', 'created']);
});

test.for([
  ['unknown', 'unknown_wallet'],
  ['frozen', 'wallet_frozen'],
  ['closed', 'wallet_closed'],
  ['of another currency', 'currency_mismatch'],
] as const)('a credit wallet that is %s gives way to the fallback', async ([state, reason]) => {
  const { from, to } = await pair();
  const fallback = await openCustomer(database.db);
  if (state === 'frozen' || state === 'closed') await setStatus(database.sql, to, state.toUpperCase());
  if (state === 'of another currency') await setGuarded(database.sql, to, { currency: 'UGX' });
  const target = state === 'unknown' ? 'NOBODY' : to;
  const posting = { reference: newReceipt(), from, to: target, amount: '10.00', fallback };
  expect(await post(database.sql, [posting])).toMatchObject([
    { outcome: 'created', reason, credited: fallback },
  ]);
  expect(await balanceOf(database.sql, fallback)).toBe('10.00');
  expect(await post(database.sql, [posting])).toMatchObject([{ outcome: 'exists' }]);
});

test('a fallback that can take nothing itself does not hide why', async () => {
  const { from, to } = await pair();
  const fallback = await openCustomer(database.db);
  await setStatus(database.sql, to, 'CLOSED');
  await setStatus(database.sql, fallback, 'FROZEN');
  const posted = await post(database.sql, [{ reference: newReceipt(), from, to, amount: '1.00', fallback }]);
  expect(posted).toEqual([refused('wallet_closed')]);
});

test('a fallback does not help against too little money', async () => {
  const { from, to } = await pair();
  const fallback = await openCustomer(database.db);
  const posted = await post(database.sql, [
    { reference: newReceipt(), from, to, amount: '100.01', fallback },
  ]);
  expect(posted).toEqual([refused('insufficient_funds')]);
});

test('a fallback that is the debit wallet refuses to pay itself', async () => {
  const { from } = await pair();
  const posting = { reference: newReceipt(), from, to: 'NOBODY', amount: '1.00', fallback: from };
  expect(await post(database.sql, [posting])).toEqual([refused('same_wallet')]);
});

test('a balance that the column cannot hold is refused alone', async () => {
  await using own = await openTestDb();
  const full = await openCustomer(own.db);
  const posting = { from: 'MPESA-FLOAT', to: full, type: 'DEPOSIT' };
  const posted = await post(own.sql, [
    { ...posting, reference: 'A', amount: '99999999999999999.98' },
    { ...posting, reference: 'B', amount: '0.02' },
    { ...posting, reference: 'C', amount: '0.01' },
  ]);
  expect(posted.map(({ outcome, reason }) => reason ?? outcome)).toEqual([
    'created',
    'invalid_amount',
    'created',
  ]);
  expect(await ledgerFaults(own.sql)).toEqual([]);
});

test('the CHECK of the table refuses an overdraft whatever the code does', async () => {
  const from = await openFunded(database, '100.00');
  await database.sql('BEGIN');
  await database.sql(`SELECT set_config('daftari.door', 'open', true)`);
  const overdraft = database.sql('UPDATE core.wallets SET balance = -0.01 WHERE id = $1', [from]);
  await expect(overdraft).rejects.toMatchObject({ code: '23514', constraint: 'wallets_funds_check' });
  await database.sql('ROLLBACK');
});

test('the versions of a wallet count its postings on either side', async () => {
  const { from, to } = await pair();
  await post(database.sql, [
    { reference: newReceipt(), from, to, amount: '10.00' },
    { reference: newReceipt(), from: to, to: from, amount: '5.00' },
  ]);
  const versions = await database.sql(
    `SELECT debit_version::int AS debit, credit_version::int AS credit FROM core.transactions
      WHERE debit_wallet_id IN ($1, $2) ORDER BY created_at, id`,
    [from, to],
  );
  expect(versions).toEqual([
    { debit: 2, credit: 1 },
    { debit: 2, credit: 3 },
  ]);
});

test('a transaction carries the id of the database transaction that wrote it', async () => {
  const { from, to } = await pair();
  const reference = newReceipt();
  await database.sql('BEGIN');
  const current = await valueOf(database.sql, 'SELECT pg_current_xact_id()::text');
  await post(database.sql, [{ reference, from, to, amount: '1.00' }]);
  await database.sql('COMMIT');
  const text = 'SELECT xact_id::text FROM core.transactions WHERE reference = $1';
  expect(await valueOf(database.sql, text, [reference])).toBe(current);
});

test('zeros behind the cents do not reach the balances that are answered', async () => {
  const { from, to } = await pair();
  const [posted] = await post(database.sql, [{ reference: newReceipt(), from, to, amount: '10.000' }]);
  expect(posted).toMatchObject({ debitBalance: '90.00', creditBalance: '10.00' });
});

test('arrays of unequal length are refused instead of paying the wrong wallet', async () => {
  const { from, to } = await pair();
  const wrong = await openCustomer(database.db);
  const calling = database.sql(
    `SELECT * FROM core.post_transactions($1::text[], ARRAY['TRANSFER', 'TRANSFER'], $2::text[], $3::text[],
       ARRAY[NULL, NULL]::text[], ARRAY[1, 1]::numeric[], ARRAY['KES', 'KES'], NULL, NULL, NULL)`,
    [[newReceipt(), newReceipt()], [from], [to, wrong]],
  );
  await expect(calling).rejects.toMatchObject({ code: '22023' });
  expect(await balanceOf(database.sql, wrong)).toBe('0.00');
});
