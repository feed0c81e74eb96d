import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseStk } from './parse-stk.ts';

const NAMES = { MerchantRequestID: '29-34-1', CheckoutRequestID: 'ws_CO_27112026120000123700000126' };

function bodyOf(fields: Record<string, unknown>): Buffer {
  return Buffer.from(JSON.stringify({ Body: { stkCallback: { ...NAMES, ...fields } } }));
}

const ITEMS = [
  { Name: 'Amount', Value: 10 },
  { Name: 'MpesaReceiptNumber', Value: 'TKR3MX6CLY' },
  { Name: 'Balance' },
  { Name: 'TransactionDate', Value: 20261127120030 },
  { Name: 'PhoneNumber', Value: 254700000126 },
];

const paid = (items: readonly unknown[], code: unknown = 0) =>
  bodyOf({ ResultCode: code, ResultDesc: 'done', CallbackMetadata: { Item: items } });

const PAID = {
  ok: true,
  message: {
    kind: 'paid',
    merchantRequestId: NAMES.MerchantRequestID,
    checkoutRequestId: NAMES.CheckoutRequestID,
    receipt: 'TKR3MX6CLY',
    amount: '10.00',
    paidAt: new Date('2026-11-27T09:00:30.000Z'),
    phone: '254700000126',
    payload: null,
  },
};

test('a payment is understood with its items in any order, numbers or texts, the code too', () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray(ITEMS, { minLength: ITEMS.length }),
      fc.boolean(),
      fc.constantFrom<unknown>(0, '0', ' 0 '),
      (items, areTexts, code) => {
        const written = items.map((item) =>
          'Value' in item && areTexts ? { ...item, Value: String(item.Value) } : item,
        );
        expect(parseStk(paid(written, code))).toEqual(PAID);
      },
    ),
  );
});

test('an amount keeps its cents, however it is written', () => {
  const text = paid(ITEMS).toString().replace('"Value":10}', '"Value":1234567890123456.10}');
  expect(parseStk(Buffer.from(text))).toMatchObject({ message: { amount: '1234567890123456.10' } });
});

test('a payment without a date or a number is a payment', () => {
  expect(parseStk(paid(ITEMS.slice(0, 2)))).toMatchObject({
    ok: true,
    message: { paidAt: null, phone: null },
  });
});

test.each([
  [1032, '1032'],
  ['1037', '1037'],
  ['SFC_IC0003', 'SFC_IC0003'],
])('the code %j is a failure, kept as it was', (code, resultCode) => {
  expect(parseStk(bodyOf({ ResultCode: code, ResultDesc: 'any text' }))).toMatchObject({
    ok: true,
    message: { kind: 'failed', resultCode, checkoutRequestId: NAMES.CheckoutRequestID },
  });
});

test.each([
  ['no callback', Buffer.from('{"Body":{}}'), 'callback_missing', null],
  ['a C2B message', Buffer.from('{"TransID":"TKR3MX6CLY"}'), 'callback_missing', 'TKR3MX6CLY'],
  ['no code', bodyOf({ CallbackMetadata: { Item: ITEMS } }), 'result_missing', 'TKR3MX6CLY'],
  ['a failure with a receipt', paid(ITEMS, 1032), 'result_contradictory', 'TKR3MX6CLY'],
  ['no receipt', paid(ITEMS.slice(0, 1)), 'receipt_missing', null],
  ['no amount', paid(ITEMS.slice(1)), 'amount_missing', 'TKR3MX6CLY'],
  [
    'half a cent',
    paid([...ITEMS.slice(1), { Name: 'Amount', Value: '1.005' }]),
    'amount_below_cent',
    'TKR3MX6CLY',
  ],
  ['two amounts', paid([...ITEMS, { Name: 'Amount', Value: 20 }]), 'duplicate_key', 'TKR3MX6CLY'],
  [
    'two receipts',
    paid([...ITEMS, { Name: 'MpesaReceiptNumber', Value: 'TKR3MX6CLZ' }]),
    'duplicate_key',
    null,
  ],
  ['an empty body', Buffer.from(''), 'body_empty', null],
  ['half a body', paid(ITEMS).subarray(0, 250), 'body_not_json', 'TKR3MX6CLY'],
] as const)('%s is refused', (...[, body, reason, receipt]) => {
  expect(parseStk(body)).toMatchObject({ ok: false, reason, receipt });
});

test('a code that is told twice in one object is refused', () => {
  const text = paid(ITEMS).toString().replace('"ResultCode":0', '"ResultCode":1032,"ResultCode":0');
  expect(parseStk(Buffer.from(text))).toMatchObject({ ok: false, reason: 'duplicate_key' });
});

test('a page in place of the CheckoutRequestID is no name', () => {
  expect(parseStk(bodyOf({ CheckoutRequestID: '<h1>Fix</h1>', ResultCode: 1 }))).toMatchObject({
    ok: true,
    message: { checkoutRequestId: null },
  });
});

test('fields and items are read in whatever case they are written', () => {
  const usual = parseStk(paid(ITEMS));
  const lower = paid(ITEMS)
    .toString()
    .replaceAll(/"(\w+)":/g, (_, key: string) => `"${key.toLowerCase()}":`)
    .replaceAll(/"name":"(\w+)"/g, (_, name: string) => `"name":"${name.toUpperCase()}"`);
  const read = parseStk(Buffer.from(lower));
  expect(usual.ok).toBe(true);
  expect(read).toEqual(usual);
});

test('items are found in whatever the metadata are made of', () => {
  const usual = parseStk(paid(ITEMS));
  const metadata = [
    ITEMS,
    { Item: [ITEMS] },
    Object.fromEntries(ITEMS.flatMap((item) => ('Value' in item ? [[item.Name, item.Value]] : []))),
  ];
  for (const CallbackMetadata of metadata) {
    expect(parseStk(bodyOf({ ResultCode: 0, CallbackMetadata }))).toMatchObject({
      ok: true,
      message: usual.ok ? { ...usual.message, payload: null } : expect.fail('it is not understood'),
    });
  }
});
