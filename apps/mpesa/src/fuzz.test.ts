import { confirmationOf, createPayment, createRandom, sendRaw } from '@repo/simulator';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCustomerWallet, startTestService } from './testing.ts';
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
  .map(({ changes, amount }) => {
    const usual = confirmationOf(createPayment(random, { account }), 'plain');
    return Buffer.from(JSON.stringify({ ...usual, TransAmount: amount, ...changes }));
  });

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
    { numRuns: 400 },
  );
  const rows = await service.database.query(
    `SELECT outcome, error, encode(body, 'hex') AS body FROM services.mpesa_callbacks`,
  );
  expect(rows.map((row) => String(row['body'])).toSorted()).toEqual(sent.toSorted());
  expect(rows.filter((row) => row['outcome'] === 'FAILED')).toEqual([]);
  const outcomes = new Set(rows.map((row) => row['outcome']));
  expect([...outcomes]).toEqual(expect.arrayContaining(['CREDITED', 'SUSPENSE', 'QUARANTINED']));
  expect(await service.database.query('SELECT sum(balance)::text AS sum FROM core.wallets')).toEqual([
    { sum: '0.00' },
  ]);
});
