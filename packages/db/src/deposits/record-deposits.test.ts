import { createHash } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { createDb } from '../connection/db.ts';
import { recordDeposit, recordDeposits } from './record-deposits.ts';
import { laneOf, stripeOf } from '../lanes.ts';
import { verificationHash } from '../ledger/verification-hash.ts';
import { countRows, depositRows } from '../testing/deposits/deposit-rows.ts';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { post } from '../testing/database/post.ts';
import { openTestDb, useTestDb } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer, setGuarded, setStatus } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();

test('a payment to a wallet is credited, and the answer says all about it', async () => {
  const account = await openCustomer(database.db);
  const deposit = sampleDeposit({ account, amount: '1500.00' });
  const result = await recordDeposit(database.db, deposit);
  const { receipt } = deposit;
  const [transaction] = (await depositRows(database.sql, receipt)).transactions;
  expect(result).toEqual({
    outcome: 'credited',
    receipt,
    reference: receipt,
    transactionId: transaction?.['id'],
    wallet: account,
    amount: '1500.00',
    balanceAfter: '1500.00',
    createdAt: new Date(String(transaction?.['created_at'])),
    verificationHash: transaction?.['verification_hash'],
  });
});

test('a credited payment writes its transaction, with the hash that anybody can compute again', async () => {
  const account = await openCustomer(database.db);
  const { receipt } = sampleDeposit();
  const result = await recordDeposit(database.db, sampleDeposit({ receipt, account, amount: '20.5' }));
  const { transactions } = await depositRows(database.sql, receipt);
  const createdAt = 'createdAt' in result ? result.createdAt : new Date(Number.NaN);
  expect(transactions).toEqual([
    {
      id: expect.any(String),
      reference: receipt,
      type: 'DEPOSIT',
      debit_wallet_id: stripeOf('MPESA-FLOAT', laneOf(account)),
      credit_wallet_id: account,
      amount: '20.50',
      currency: 'KES',
      created_at: createdAt.toISOString(),
      verification_hash: verificationHash({ reference: receipt, amount: '20.50', createdAt }),
      idempotency_key: null,
      request_digest: null,
      reverses_id: null,
    },
  ]);
});

test('a credited payment writes its log row with everything that was reported', async () => {
  const account = await openCustomer(database.db);
  const { receipt } = sampleDeposit();
  const payload = '{"TransID":"X","FirstName":"Achieng","Nested":{"list":[1,2.50]}}';
  const paidAt = new Date('2026-02-28T23:59:59.999Z');
  const facts = { receipt, account: ` ${account} `, amount: '7', paidAt, payload, shortCode: '4125223' };
  await recordDeposit(database.db, sampleDeposit({ ...facts, phone: '254711000111', name: 'Achieng O.' }));
  const { logs } = await depositRows(database.sql, receipt);
  expect(logs).toEqual([
    {
      id: expect.any(String),
      mpesa_receipt: receipt,
      phone: '254711000111',
      amount: '7.00',
      raw_payload: { TransID: 'X', FirstName: 'Achieng', Nested: { list: [1, 2.5] } },
      created_at: expect.any(String),
      short_code: '4125223',
      account: ` ${account} `,
      paid_at: '2026-02-28T23:59:59.999Z',
      phone_hash: null,
      payer_name: 'Achieng O.',
      outcome: 'CREDITED',
      reason: null,
      suggestions: [],
      wallet_id: account,
    },
  ]);
});

test('without a payload of its own the body is the payload', async () => {
  const { receipt } = sampleDeposit();
  const body = Buffer.from('{"TransID": "é🦁", "n": 1}');
  await recordDeposit(database.db, sampleDeposit({ receipt, body, payload: null }));
  const { logs } = await depositRows(database.sql, receipt);
  expect(logs[0]?.['raw_payload']).toEqual({ TransID: 'é🦁', n: 1 });
});

test("the customer gets the SMS at the wallet's phone, also when another phone paid", async () => {
  const account = await openCustomer(database.db, { phone: '0722000999' });
  const { receipt } = sampleDeposit();
  await recordDeposit(
    database.db,
    sampleDeposit({ receipt, account, amount: '1234567.80', phone: '254799000000' }),
  );
  const { sms } = await depositRows(database.sql, receipt);
  expect(sms).toEqual([
    {
      id: expect.any(String),
      recipient: '254722000999',
      message: `${receipt} confirmed. KES 1,234,567.80 received from Atieno in wallet ${account}. New balance KES 1,234,567.80.`,
      status: 'PENDING',
      cost: null,
      created_at: expect.any(String),
    },
  ]);
});

test('the inbox keeps the bytes as they came, NUL and broken UTF-8 and repeated keys included', async () => {
  const { receipt } = sampleDeposit();
  const odd = Buffer.from([0, 255, 254, 0xc3, 0x28, 10, 13]);
  const body = Buffer.concat([Buffer.from('{"a":1,"a":2,"n":1e400}'), odd]);
  await recordDeposit(database.db, sampleDeposit({ receipt, body, payload: '{}', source: '10.0.0.1' }));
  const { callbacks } = await depositRows(database.sql, receipt);
  expect(callbacks).toEqual([
    {
      id: expect.any(String),
      kind: 'C2B_CONFIRMATION',
      receipt,
      outcome: 'SUSPENSE',
      error: 'no_account',
      source: '10.0.0.1',
      body,
      received_at: expect.any(String),
    },
  ]);
});

test('bodies of one batch are not mixed up, the empty one and a view into a larger buffer included', async () => {
  const large = new Uint8Array(Buffer.from('0123456789'));
  const bodies = [Buffer.from('first'), new Uint8Array(0), large.subarray(3, 6), Buffer.from('last')];
  const deposits = bodies.map((body) => sampleDeposit({ body, payload: '{}' }));
  await recordDeposits(database.db, deposits);
  const kept = await Promise.all(deposits.map(({ receipt }) => depositRows(database.sql, receipt)));
  expect(kept.map(({ callbacks }) => String(callbacks[0]?.['body']))).toEqual(['first', '', '345', 'last']);
});

test('the rows of one payment share one id and one moment', async () => {
  const account = await openCustomer(database.db);
  const { receipt } = sampleDeposit();
  await recordDeposit(database.db, sampleDeposit({ receipt, account }));
  const { transactions, logs, sms, callbacks } = await depositRows(database.sql, receipt);
  const rows = [...transactions, ...logs, ...sms, ...callbacks];
  expect(rows).toHaveLength(4);
  expect(new Set(rows.map((row) => row['id'])).size).toBe(1);
  expect(new Set(rows.map((row) => row['created_at'] ?? row['received_at'])).size).toBe(1);
});

test('the wallet gains what the float loses', async () => {
  const account = await openCustomer(database.db);
  const float = Number(await balanceOf(database.sql, 'MPESA-FLOAT'));
  await recordDeposit(database.db, sampleDeposit({ account, amount: '12.25' }));
  expect(await balanceOf(database.sql, account)).toBe('12.25');
  expect(Number(await balanceOf(database.sql, 'MPESA-FLOAT'))).toBe(float - 12.25);
});

test('a payment that nobody can place waits in suspense, in every row about it', async () => {
  const deposit = sampleDeposit({ account: 'Tandem ', phone: '254733111222', amount: '99.00' });
  const result = await recordDeposit(database.db, deposit);
  const rows = await depositRows(database.sql, deposit.receipt);
  expect(result).toMatchObject({
    outcome: 'suspense',
    reason: 'unknown_account',
    suggestions: [],
    wallet: 'SUSPENSE',
    amount: '99.00',
  });
  expect(rows).toMatchObject({
    transactions: [
      {
        credit_wallet_id: stripeOf('SUSPENSE', laneOf('Tandem ')),
        debit_wallet_id: stripeOf('MPESA-FLOAT', laneOf('Tandem ')),
      },
    ],
    logs: [{ outcome: 'SUSPENSE', reason: 'unknown_account', wallet_id: 'SUSPENSE', account: 'Tandem ' }],
    callbacks: [{ outcome: 'SUSPENSE', error: 'unknown_account' }],
  });
});

test('a payer into suspense gets an SMS about it, without a word of a balance', async () => {
  const deposit = sampleDeposit({ account: 'nobody', phone: '254733111222', amount: '99.00' });
  await recordDeposit(database.db, deposit);
  const { sms } = await depositRows(database.sql, deposit.receipt);
  expect(sms).toMatchObject([{ recipient: '254733111222', message: expect.stringContaining('KES 99.00') }]);
  expect(String(sms[0]?.['message'])).not.toMatch(/balance/i);
});

test('an SMS about a deposit is plain ASCII in one part', async () => {
  const account = await openCustomer(database.db);
  const deposits = [
    sampleDeposit({ account, amount: '250000.00' }),
    sampleDeposit({ account, amount: '9999999.99' }),
    sampleDeposit({ account: 'nobody', amount: '9999999.99' }),
  ];
  await recordDeposits(database.db, deposits);
  const rows = await Promise.all(deposits.map(({ receipt }) => depositRows(database.sql, receipt)));
  const messages = rows.flatMap(({ sms }) => sms.map((row) => row['message']));
  expect(messages).toHaveLength(3);
  for (const message of messages) expect(message).toMatch(/^[A-Za-z0-9 .,:]{1,160}$/);
});

test.for([
  ['FROZEN', 'wallet_frozen'],
  ['CLOSED', 'wallet_closed'],
] as const)('money for a %s wallet goes to suspense', async ([status, reason]) => {
  const account = await openCustomer(database.db);
  await setStatus(database.sql, account, status);
  const deposit = sampleDeposit({ account });
  expect(await recordDeposit(database.db, deposit)).toMatchObject({
    outcome: 'suspense',
    reason,
    wallet: 'SUSPENSE',
  });
  expect(await balanceOf(database.sql, account)).toBe('0.00');
  expect(await depositRows(database.sql, deposit.receipt)).toMatchObject({
    logs: [{ outcome: 'SUSPENSE', reason }],
    callbacks: [{ outcome: 'SUSPENSE', error: reason }],
  });
});

test('money for a wallet of another currency goes to suspense', async () => {
  const account = await openCustomer(database.db);
  await setGuarded(database.sql, account, { currency: 'UGX' });
  const result = await recordDeposit(database.db, sampleDeposit({ account }));
  expect(result).toMatchObject({ outcome: 'suspense', reason: 'currency_mismatch' });
});

test('the holder of a frozen wallet gets no SMS about money that is not theirs yet; the payer does', async () => {
  const account = await openCustomer(database.db, { phone: '0722000777' });
  await setStatus(database.sql, account, 'FROZEN');
  const deposit = sampleDeposit({ account, phone: '254733111333' });
  await recordDeposit(database.db, deposit);
  const { sms } = await depositRows(database.sql, deposit.receipt);
  expect(sms.map((row) => row['recipient'])).toEqual(['254733111333']);
});

test('a sum that the wallet cannot hold is refused, kept in the inbox as FAILED, and moves nothing', async () => {
  const account = await openCustomer(database.db);
  await using own = await openTestDb();
  await openCustomer(own.db, { number: account });
  const largest = '99999999999999999.99';
  await post(own.sql, [{ reference: 'PAID-BEFORE', from: 'MPESA-FLOAT', to: account, amount: largest }]);
  const deposit = sampleDeposit({ account, amount: '0.01' });
  const { receipt } = deposit;
  expect(await recordDeposit(own.db, deposit)).toEqual({
    outcome: 'refused',
    receipt,
    reason: 'invalid_amount',
  });
  expect(await depositRows(own.sql, receipt)).toMatchObject({
    transactions: [],
    logs: [],
    sms: [],
    callbacks: [{ outcome: 'FAILED', error: 'invalid_amount' }],
  });
  expect(await balanceOf(own.sql, account)).toBe(largest);
  expect(await ledgerFaults(own.sql)).toEqual([]);
});

test('when even suspense is frozen the payment is refused, and credited when it is repeated later', async () => {
  await using own = await openTestDb();
  await setStatus(own.sql, stripeOf('SUSPENSE', laneOf('nobody')), 'FROZEN');
  const deposit = sampleDeposit({ account: 'nobody' });
  const first = await recordDeposit(own.db, deposit);
  await setStatus(own.sql, stripeOf('SUSPENSE', laneOf('nobody')), 'ACTIVE');
  const second = await recordDeposit(own.db, deposit);
  expect([first, second]).toMatchObject([
    { outcome: 'refused', reason: 'wallet_frozen' },
    { outcome: 'suspense' },
  ]);
  expect(await countRows(own.sql, deposit.receipt)).toEqual({
    transactions: 1,
    logs: 1,
    sms: 1,
    callbacks: 2,
  });
});

test('times are UTC when the server, the session and the process all live in Nairobi', async () => {
  await using own = await openTestDb();
  await own.sql(`ALTER DATABASE "${new URL(own.url).pathname.slice(1)}" SET TimeZone = 'Africa/Nairobi'`);
  vi.stubEnv('TZ', 'Africa/Nairobi');
  const db = createDb({ url: own.url });
  const paidAt = new Date('2026-02-28T21:30:00.123Z');
  const deposit = sampleDeposit({ paidAt });
  const before = Date.now();
  const result = await recordDeposit(db, deposit);
  const after = Date.now();
  await db.close();
  vi.unstubAllEnvs();
  const { logs } = await depositRows(own.sql, deposit.receipt);
  const createdAt = 'createdAt' in result ? result.createdAt.getTime() : Number.NaN;
  expect(logs[0]?.['paid_at']).toBe('2026-02-28T21:30:00.123Z');
  expect(createdAt).toBeGreaterThanOrEqual(before);
  expect(createdAt).toBeLessThanOrEqual(after);
});

test('the id of a transaction is a UUID of version 7 of the moment when it was written', async () => {
  const result = await recordDeposit(database.db, sampleDeposit());
  const { transactionId, createdAt } =
    'transactionId' in result ? result : expect.fail('nothing was written');
  expect(transactionId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(parseInt(transactionId.replace('-', '').slice(0, 12), 16)).toBe(createdAt.getTime());
});

test("the hash in the answer is the transaction's own", async () => {
  const result = await recordDeposit(database.db, sampleDeposit({ amount: '5' }));
  const { receipt, createdAt, verificationHash: hash } = 'createdAt' in result ? result : expect.fail('none');
  const text = `${receipt}5.00${createdAt.toISOString()}`;
  expect(hash).toBe(createHash('sha256').update(text).digest('hex'));
});
