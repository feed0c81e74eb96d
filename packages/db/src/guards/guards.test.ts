import { Prisma } from '../generated/client.ts';
import { expect, test } from 'vitest';
import { databaseCode } from '../connection/database-error.ts';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { transaction } from '../connection/transaction.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();

const OPENING_ELSEWHERE = `INSERT INTO core.transactions (reference, type, debit_wallet_id, credit_wallet_id, amount,
  debit_version, debit_balance_after, credit_version, credit_balance_after, xact_id)
  VALUES ('FORGED', 'DEPOSIT', 'MPESA-FLOAT', 'FEES', 1, 99, 0, 99, 1, 1)`;

const REFUSALS: readonly (readonly [string, string, string, RegExp])[] = [
  ['changing a transaction', 'UPDATE core.transactions SET amount = 1', 'DF001', /REVERSAL/],
  [
    'changing no transaction at all',
    'UPDATE core.transactions SET amount = 1 WHERE false',
    'DF001',
    /REVERSAL/,
  ],
  ['deleting a transaction', 'DELETE FROM core.transactions', 'DF001', /REVERSAL/],
  ['truncating the transactions', 'TRUNCATE core.transactions', 'DF001', /REVERSAL/],
  ['writing a transaction by hand', OPENING_ELSEWHERE, 'DF002', /recordDeposit/],
  [
    'copying transactions onto themselves',
    'INSERT INTO core.transactions SELECT * FROM core.transactions ON CONFLICT DO NOTHING',
    'DF002',
    /recordDeposit/,
  ],
  [
    'overwriting a transaction by ON CONFLICT',
    `${OPENING_ELSEWHERE} ON CONFLICT (reference) DO UPDATE SET amount = 1`,
    'DF00[12]',
    /recordDeposit|REVERSAL/,
  ],
  ['truncating the wallets and all that hangs on them', 'TRUNCATE core.wallets CASCADE', 'DF001', /.+/],
  ['deleting wallets', 'DELETE FROM core.wallets', 'DF004', /closeWallet/],
  ['editing a balance', 'UPDATE core.wallets SET balance = balance + 1', 'DF003', /recordDeposit/],
  ['editing what is held', 'UPDATE core.wallets SET held = held + 1', 'DF003', /recordDeposit/],
  ['editing a version', 'UPDATE core.wallets SET version = version + 1', 'DF003', /recordDeposit/],
  ['editing a number', `UPDATE core.wallets SET id = 'X' WHERE id = 'FEES'`, 'DF003', /recordDeposit/],
  ['editing a kind', `UPDATE core.wallets SET kind = 'CUSTOMER' WHERE id = 'FEES'`, 'DF003', /recordDeposit/],
  ['editing a currency', `UPDATE core.wallets SET currency = 'UGX'`, 'DF003', /recordDeposit/],
  [
    'editing a balance by ON CONFLICT',
    `INSERT INTO core.wallets (id, holder_name) VALUES ('FEES', 'x') ON CONFLICT (id) DO UPDATE SET balance = 5`,
    'DF003',
    /openWallet|recordDeposit/,
  ],
  [
    'editing a balance by MERGE',
    `MERGE INTO core.wallets w USING (SELECT 'FEES' AS id) n ON w.id = n.id WHEN MATCHED THEN UPDATE SET balance = 5`,
    'DF003',
    /recordDeposit/,
  ],
  ['changing the log of payments', `UPDATE services.mpesa_logs SET amount = 1`, 'DF001', /.+/],
  ['deleting from the log of payments', 'DELETE FROM services.mpesa_logs', 'DF001', /.+/],
  ['truncating the log of payments', 'TRUNCATE services.mpesa_logs', 'DF001', /.+/],
  ['changing the inbox', `UPDATE services.mpesa_callbacks SET outcome = 'FAILED'`, 'DF001', /.+/],
  ['deleting from the inbox', 'DELETE FROM services.mpesa_callbacks', 'DF001', /.+/],
  ['truncating the inbox', 'TRUNCATE services.mpesa_callbacks CASCADE', 'DF001', /.+/],
  ['deleting an SMS', 'DELETE FROM services.sms_logs', 'DF001', /.+/],
  ['truncating the SMS', 'TRUNCATE services.sms_logs', 'DF001', /.+/],
];

test.for(REFUSALS)('%s is refused, with a hint', async ([, text, code, hint]) => {
  await recordDeposit(database.db, sampleDeposit({ account: await openCustomer(database.db) }));
  await expect(database.sql(text)).rejects.toMatchObject({
    code: expect.stringMatching(`^${code}$`),
    hint: expect.stringMatching(hint),
  });
});

test('several tables cannot be truncated together either', async () => {
  const text =
    'TRUNCATE core.wallets, core.transactions, services.mpesa_logs, services.mpesa_callbacks CASCADE';
  await expect(database.sql(text)).rejects.toMatchObject({ code: 'DF001' });
});

test.for([
  ['balance', { balance: new Prisma.Decimal('1000.00') }],
  ['held', { held: new Prisma.Decimal('1.00') }],
  ['version', { version: 7n }],
  ['kind', { kind: 'SYSTEM' }],
] as const)("Prisma's model cannot edit a wallet's %s either", async ([, data]) => {
  const id = await openFunded(database, '100.00');
  const error: unknown = await database.db.prisma.wallet
    .update({ where: { id }, data })
    .catch((e: unknown) => e);
  expect(error instanceof Error && databaseCode(error)).toBe('DF003');
});

test("Prisma's model cannot delete a wallet or a transaction", async () => {
  const id = await openFunded(database, '100.00');
  const deleting = [
    database.db.prisma.wallet.delete({ where: { id } }),
    database.db.prisma.transaction.deleteMany({ where: { creditWalletId: id } }),
  ];
  const results = await Promise.allSettled(deleting);
  const codes = results.map((result) => result.status === 'rejected' && databaseCode(result.reason as Error));
  expect(codes).toEqual(['DF004', 'DF001']);
});

test('through a transaction of the package the refusal has its own code', async () => {
  const id = await openFunded(database, '100.00');
  const editing = transaction(database.db, (tx) =>
    tx.prisma.wallet.update({ where: { id }, data: { version: 9n } }),
  );
  await expect(editing).rejects.toThrow(expect.objectContaining({ code: 'around_the_door' }));
  const deleting = transaction(database.db, (tx) => tx.prisma.smsLog.deleteMany());
  await expect(deleting).rejects.toThrow(expect.objectContaining({ code: 'append_only' }));
});

test('an SMS has no status but the three', async () => {
  const writing = database.sql(
    `INSERT INTO services.sms_logs (recipient, message, status) VALUES ('1', 'x', 'LOST')`,
  );
  await expect(writing).rejects.toMatchObject({ code: '23514' });
});

test('the door closes behind a deposit: a balance edit in the same transaction is refused', async () => {
  const account = await openCustomer(database.db);
  const sneaking = transaction(database.db, async (tx) => {
    await recordDeposit(tx, sampleDeposit({ account }));
    await tx.prisma.wallet.update({
      where: { id: account },
      data: { balance: new Prisma.Decimal('1000000') },
    });
  });
  await expect(sneaking).rejects.toThrow(expect.objectContaining({ code: 'around_the_door' }));
});

test('the door closes behind a deposit that failed, too', async () => {
  await database.sql('BEGIN');
  await database.sql('SAVEPOINT before');
  await expect(
    database.sql(`SELECT core.post_transactions(ARRAY['R'], ARRAY['NONSENSE'], ARRAY['MPESA-FLOAT'], ARRAY['FEES'],
      NULL, ARRAY[1]::numeric[], ARRAY['KES'], NULL, NULL, NULL)`),
  ).rejects.toMatchObject({ code: '23514' });
  await database.sql('ROLLBACK TO SAVEPOINT before');
  const editing = database.sql(`UPDATE core.wallets SET balance = 5 WHERE id = 'FEES'`);
  await expect(editing).rejects.toMatchObject({ code: 'DF003' });
  await database.sql('ROLLBACK');
});
