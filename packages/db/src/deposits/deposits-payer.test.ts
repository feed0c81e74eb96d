import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { transaction } from '../connection/transaction.ts';
import { recordDeposit } from './record-deposits.ts';
import { depositRows } from '../testing/deposits/deposit-rows.ts';
import type { DepositFacts } from '../testing/deposits/sample-deposit.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import type { Row } from '../testing/database/test-db.ts';
import { openTestDb, useTestDb } from '../testing/database/test-db.ts';
import { newPhone, openCustomer } from '../testing/database/wallet-fixtures.ts';
import { updateWallet } from '../wallets/wallet-changes.ts';

const database = useTestDb();

const hashOf = (phone: string) => createHash('sha256').update(phone).digest('hex');
const masked = (hash: string) => `${hash.slice(0, 26)}*****${hash.slice(-26)}`;

async function logOf(facts: DepositFacts): Promise<Row | undefined> {
  const deposit = sampleDeposit(facts);
  await recordDeposit(database.db, deposit);
  return (await depositRows(database.sql, deposit.receipt)).logs[0];
}

test('a plain number is kept as it is', async () => {
  expect(await logOf({ phone: '254712345678' })).toMatchObject({ phone: '254712345678', phone_hash: null });
});

test('a mask is kept as it was sent', async () => {
  expect(await logOf({ phone: '2547 ***** 126' })).toMatchObject({
    phone: '2547 ***** 126',
    phone_hash: null,
  });
});

test('no number is no number', async () => {
  expect(await logOf({ phone: null })).toMatchObject({ phone: null, phone_hash: null });
});

test("a hash that is a customer's leads to the customer's number", async () => {
  const phone = newPhone();
  await openCustomer(database.db, { phone });
  const phoneHash = hashOf(phone);
  expect(await logOf({ phone: null, phoneHash })).toMatchObject({ phone, phone_hash: phoneHash });
});

test('a hash that is nobody’s is kept whole, and no number with it', async () => {
  const phoneHash = hashOf('254799999999');
  expect(await logOf({ phone: null, phoneHash })).toMatchObject({ phone: null, phone_hash: phoneHash });
});

test('a hash with its middle masked leads to the number that fits both ends', async () => {
  const phone = newPhone();
  await openCustomer(database.db, { phone });
  const phoneHash = masked(hashOf(phone));
  expect(await logOf({ phone: null, phoneHash })).toMatchObject({ phone, phone_hash: phoneHash });
});

test.for([
  ['its beginning', (hash: string) => `${'0'.repeat(26)}*****${hash.slice(-26)}`],
  ['its end', (hash: string) => `${hash.slice(0, 26)}*****${'0'.repeat(26)}`],
  ['only a short beginning', (hash: string) => `${hash.slice(0, 15)}*****${hash.slice(-26)}`],
] as const)('a masked hash that agrees in all but %s leads to nobody', async ([, change]) => {
  const phone = newPhone();
  await openCustomer(database.db, { phone });
  expect(await logOf({ phone: null, phoneHash: change(hashOf(phone)) })).toMatchObject({ phone: null });
});

test('a hash is looked for in the index of the hashes of customers, whole or masked', async () => {
  await using own = await openTestDb();
  await own.sql(
    `SELECT core.open_wallet(p_number => '1' || lpad(i::text, 9, '0'), p_phone => '2547' || lpad(i::text, 8, '0'),
                             p_holder_name => 'Wanjiku Kamau')
       FROM generate_series(1, 2000) AS i`,
  );
  await own.sql('VACUUM (ANALYZE) core.wallets');
  await transaction(own.db, async (handle) => {
    const hash = hashOf('254700001000');
    for (const told of [hash, masked(hash)]) {
      const found = await handle.run({ name: 'test_hash', text: 'SELECT core.phone_of_hash($1) AS phone' }, [
        told,
      ]);
      expect(found).toEqual([{ phone: '254700001000' }]);
    }
    const text = `SELECT (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int AS reads
                    FROM pg_stat_xact_user_tables WHERE relid = 'core.wallets'::regclass`;
    expect(await handle.run({ name: 'test_reads', text }, [])).toEqual([{ reads: 2 }]);
  });
});

test('the wildcards of LIKE in a hash are no wildcards', async () => {
  const phone = newPhone();
  await openCustomer(database.db, { phone });
  const phoneHash = `${hashOf(phone).slice(0, 26)}*%${'_'.repeat(26)}`;
  expect(await logOf({ phone: null, phoneHash })).toMatchObject({ phone: null });
});

test('two wallets of one customer have one number', async () => {
  const phone = newPhone();
  await openCustomer(database.db, { phone });
  await openCustomer(database.db, { phone });
  expect(await logOf({ phone: null, phoneHash: hashOf(phone) })).toMatchObject({ phone });
});

test('a number that was sent wins over a hash beside it', async () => {
  const phone = newPhone();
  await openCustomer(database.db, { phone });
  const log = await logOf({ phone: '2547 ***** 126', phoneHash: hashOf(phone) });
  expect(log).toMatchObject({ phone: '2547 ***** 126', phone_hash: hashOf(phone) });
});

test("a payer's number decides nothing about where the money goes", async () => {
  const phone = newPhone();
  await openCustomer(database.db, { phone });
  expect(await logOf({ phone, account: '' })).toMatchObject({ outcome: 'SUSPENSE', reason: 'no_account' });
});

test('a payer into suspense whose number is absent gets no SMS', async () => {
  const deposit = sampleDeposit({ account: 'nobody', phone: null });
  await recordDeposit(database.db, deposit);
  expect((await depositRows(database.sql, deposit.receipt)).sms).toEqual([]);
});

test.for([
  ['number is masked', { phone: '2547 ***** 126' }],
  ['hash is masked', { phone: null, phoneHash: masked('ab'.repeat(32)) }],
] as const)('a payer into suspense whose %s gets no message, and its row says why', async ([, facts]) => {
  const deposit = sampleDeposit({ account: 'nobody', ...facts });
  await recordDeposit(database.db, deposit);
  const rows = await database.sql(
    `SELECT recipient, recipient_hash, status, phase, error_code, error_message
       FROM services.sms_logs WHERE transaction_reference = $1`,
    [deposit.receipt],
  );
  expect(rows).toEqual([
    {
      recipient: null,
      recipient_hash: null,
      status: 'FAILED',
      phase: 'DONE',
      error_code: 'masked_number',
      error_message: expect.stringContaining('masked'),
    },
  ]);
});

test('a payer into suspense whose number is a hash is told where the provider accepts hashes', async () => {
  const phoneHash = 'ab'.repeat(32);
  const deposit = sampleDeposit({ account: 'nobody', phone: null, phoneHash });
  await recordDeposit(database.db, deposit);
  const rows = await database.sql(
    `SELECT recipient, recipient_hash, status, template FROM services.sms_logs WHERE transaction_reference = $1`,
    [deposit.receipt],
  );
  expect(rows).toEqual([
    { recipient: null, recipient_hash: phoneHash, status: 'PENDING', template: 'deposit_suspense' },
  ]);
});

test('a payer into suspense whose hash is that of a customer is told at the customer’s number', async () => {
  const phone = newPhone();
  await openCustomer(database.db, { phone });
  const deposit = sampleDeposit({ account: 'nobody', phone: null, phoneHash: hashOf(phone) });
  await recordDeposit(database.db, deposit);
  expect((await depositRows(database.sql, deposit.receipt)).sms).toMatchObject([{ recipient: phone }]);
});

test('the holder of a wallet gets the SMS in their language', async () => {
  const account = await openCustomer(database.db, { language: 'sw' });
  const deposit = sampleDeposit({ account });
  await recordDeposit(database.db, deposit);
  const { sms } = await depositRows(database.sql, deposit.receipt);
  expect(sms).toMatchObject([{ message: expect.stringContaining('imethibitishwa') }]);
});

test('a payer whose number was masked still makes the holder of the wallet get an SMS', async () => {
  const phone = newPhone();
  const account = await openCustomer(database.db, { phone });
  const deposit = sampleDeposit({ account, phone: '2547 ***** 126' });
  await recordDeposit(database.db, deposit);
  expect((await depositRows(database.sql, deposit.receipt)).sms).toMatchObject([{ recipient: phone }]);
});

test('a credited wallet without a phone gets no SMS, and the money all the same', async () => {
  const account = await openCustomer(database.db);
  await updateWallet(database.db, { number: account, phone: null, reason: 'given up' });
  const deposit = sampleDeposit({ account });
  const result = await recordDeposit(database.db, deposit);
  expect(result.outcome).toBe('credited');
  expect((await depositRows(database.sql, deposit.receipt)).sms).toEqual([]);
});
