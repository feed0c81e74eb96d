import { requestPayment } from '@repo/db';
import { confirmationOf, createPayment, createRandom, sendRaw } from '@repo/simulator';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCustomerWallet, startTestService, TEST_TOKEN } from './testing.ts';
import type { TestService } from './testing.ts';

let service: TestService;
let account: string;

beforeAll(async () => {
  service = await startTestService();
  account = await openCustomerWallet(service.db);
});
afterAll(() => service[Symbol.asyncDispose]());

const random = createRandom('fuzz.test');

/** Texts made of what databases and parsers stumble over. */
const nastyText = fc.string({
  unit: fc.constantFrom(
    '\0',
    '\uD800',
    '\uDC00',
    '😀',
    '"',
    '\\',
    '\n',
    '{',
    '}',
    "'",
    ',',
    '\uFFFF',
    '\u202E',
    'a',
    '7',
    '*',
  ),
  maxLength: 30,
});
const nastyValue = fc.oneof(nastyText, fc.double(), fc.bigInt().map(Number), fc.constant(null), fc.json());

/** A message that may be quite right, with some of its fields replaced and others added. */
const messages = fc
  .record({
    changes: fc.dictionary(
      fc.constantFrom(
        'MSISDN',
        'BillRefNumber',
        'FirstName',
        'LastName',
        'BusinessShortCode',
        'InvoiceNumber',
        'X',
      ),
      nastyValue,
    ),
    amount: fc.constantFrom('10.00', '0.01', ' 7 ', '99999999999.990', 'ten', '1.005'),
  })
  .map(({ changes, amount }) => messageWith({ TransAmount: amount, ...changes }));

function messageWith(changes: Readonly<Record<string, unknown>>): Buffer {
  const usual = confirmationOf(createPayment(random, { account }), 'plain');
  return Buffer.from(JSON.stringify({ ...usual, ...changes }));
}

/** The same with some bytes cut out or put in. */
const damaged = fc
  .tuple(messages, fc.nat(600), fc.nat(30), fc.uint8Array({ maxLength: 10 }))
  .map(([body, at, cut, put]) => {
    return Buffer.concat([body.subarray(0, at), put, body.subarray(at + cut)]);
  });

test('whatever is posted is acknowledged and kept byte for byte, and what is understood never fails', async () => {
  const sent: string[] = [];
  await fc.assert(
    fc.asyncProperty(fc.oneof(messages, damaged), async (body) => {
      sent.push(body.toString('hex'));
      expect(await sendRaw(service.target, 'confirmation', body)).toMatchObject({
        status: 200,
        accepted: true,
      });
    }),
    {
      numRuns: 400,
      // One of each outcome, which chance may leave out.
      examples: [
        [messageWith({ TransAmount: '10.00' })],
        [messageWith({ TransAmount: '10.00', BillRefNumber: 'nobody' })],
        [messageWith({ TransAmount: 'ten' })],
      ],
    },
  );
  const rows = await service.database.query(
    `SELECT outcome, error, encode(body, 'hex') AS body FROM services.mpesa_callbacks WHERE kind = 'C2B_CONFIRMATION'`,
  );
  expect(rows.map((row) => String(row['body'])).toSorted()).toEqual(sent.toSorted());
  expect(rows.filter((row) => row['outcome'] === 'FAILED')).toEqual([]);
  const outcomes = new Set(rows.map((row) => row['outcome']));
  expect([...outcomes]).toEqual(expect.arrayContaining(['CREDITED', 'SUSPENSE', 'QUARANTINED']));
  expect(await service.database.query('SELECT sum(balance)::text AS sum FROM core.wallets')).toEqual([
    { sum: '0.00' },
  ]);
});

/** Callbacks of requests to phones, with some of their parts replaced. */
const stkMessages = fc
  .record({
    fields: fc.dictionary(
      fc.constantFrom(
        'ResultCode',
        'ResultDesc',
        'CheckoutRequestID',
        'MerchantRequestID',
        'CallbackMetadata',
        'X',
      ),
      nastyValue,
    ),
    items: fc.dictionary(
      fc.constantFrom('Amount', 'MpesaReceiptNumber', 'TransactionDate', 'PhoneNumber', 'Balance'),
      nastyValue,
    ),
    receipt: fc.stringMatching(/^[A-Z0-9]{10}$/),
    isPaid: fc.boolean(),
  })
  .map(stkMessageWith);

interface StkParts {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly items: Readonly<Record<string, unknown>>;
  readonly receipt: string;
  readonly isPaid: boolean;
}

function stkMessageWith({ fields, items, receipt, isPaid }: StkParts): Buffer {
  const usual = { Amount: 150, MpesaReceiptNumber: receipt, TransactionDate: 20261127120000, ...items };
  const Item = Object.entries(usual).map(([Name, Value]) => ({ Name, Value }));
  const stkCallback = {
    CheckoutRequestID: 'ws_CO_1',
    ResultCode: isPaid ? 0 : 1032,
    ...(isPaid ? { CallbackMetadata: { Item } } : {}),
    ...fields,
  };
  return Buffer.from(JSON.stringify({ Body: { stkCallback } }));
}

const damagedStk = fc
  .tuple(stkMessages, fc.nat(600), fc.nat(30), fc.uint8Array({ maxLength: 10 }))
  .map(([body, at, cut, put]) => Buffer.concat([body.subarray(0, at), put, body.subarray(at + cut)]));

test('whatever is posted as the callback of a request is acknowledged and kept, to a payment and to none', async () => {
  const wallet = await openCustomerWallet(service.db);
  const { payment } = await requestPayment(service.db, {
    wallet,
    amount: '150',
    phone: '0700000126',
    shortCode: '600100',
    idempotencyKey: 'fuzz',
    leaseMs: 60_000,
  });
  const paths = fc.constantFrom('callback', `callback/${payment.id}`, `callback/x`, 'callback/%00');
  const usual: StkParts = { fields: {}, items: {}, receipt: 'TKS0000001', isPaid: true };
  const own = `callback/${payment.id}`;
  const sent: string[] = [];
  await fc.assert(
    fc.asyncProperty(fc.oneof(stkMessages, damagedStk), paths, async (body, path) => {
      sent.push(body.toString('hex'));
      const response = await fetch(`${service.url}/stk/${TEST_TOKEN}/${path}`, { method: 'POST', body });
      expect(response.status).toBe(200);
    }),
    {
      numRuns: 400,
      // One of each outcome, which chance may leave out: the first of them is the one that can be paid.
      examples: [
        [stkMessageWith(usual), own],
        [stkMessageWith({ ...usual, isPaid: false }), own],
        [stkMessageWith({ ...usual, receipt: 'TKS0000002' }), 'callback/x'],
      ],
    },
  );
  const rows = await service.database.query(
    `SELECT outcome, encode(body, 'hex') AS body FROM services.mpesa_callbacks WHERE kind = 'STK_CALLBACK'`,
  );
  expect(rows.map((row) => String(row['body'])).toSorted()).toEqual(sent.toSorted());
  expect(rows.filter((row) => row['outcome'] === 'FAILED')).toEqual([]);
  const outcomes = new Set(rows.map((row) => row['outcome']));
  expect([...outcomes]).toEqual(expect.arrayContaining(['CREDITED', 'NOTED', 'QUARANTINED']));
  expect(await service.database.query('SELECT sum(balance)::text AS sum FROM core.wallets')).toEqual([
    { sum: '0.00' },
  ]);
});
