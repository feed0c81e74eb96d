import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseC2b } from './parse-c2b.ts';

const USUAL = {
  TransactionType: 'Pay Bill',
  TransID: 'UH4SP1L7W6',
  TransTime: '20260804091330',
  TransAmount: '152.00',
  BusinessShortCode: '600100',
  BillRefNumber: '1029384756',
  InvoiceNumber: '',
  OrgAccountBalance: '155599.00',
  ThirdPartyTransID: '',
  MSISDN: '2547 ***** 126',
  FirstName: 'ATIENO',
  MiddleName: '',
  LastName: 'OTIENO',
};

const parse = (message: unknown) => parseC2b(Buffer.from(JSON.stringify(message)));
const parseText = (text: string) => parseC2b(Buffer.from(text));

/** The text of the usual message with one field's value replaced by JSON text. */
function withRaw(field: keyof typeof USUAL, json: string): string {
  return JSON.stringify(USUAL).replace(`"${field}":${JSON.stringify(USUAL[field])}`, `"${field}":${json}`);
}

test('a usual message is understood', () => {
  expect(parse(USUAL)).toEqual({
    ok: true,
    message: {
      receipt: 'UH4SP1L7W6',
      amount: '152.00',
      shortCode: '600100',
      account: '1029384756',
      paidAt: new Date('2026-08-04T06:13:30.000Z'),
      msisdn: { phone: '2547 ***** 126', phoneHash: null },
      name: 'ATIENO OTIENO',
      payload: null,
    },
  });
});

test('four fields are enough', () => {
  const { TransID, TransTime, TransAmount, BusinessShortCode } = USUAL;
  expect(parse({ TransID, TransTime, TransAmount, BusinessShortCode })).toMatchObject({
    ok: true,
    message: { account: '', msisdn: { phone: null, phoneHash: null }, name: null },
  });
});

test('null and fields that nobody knows are tolerated', () => {
  const message = { ...USUAL, BillRefNumber: null, MSISDN: null, FirstName: null, NewField: { deep: [1] } };
  expect(parse(message)).toMatchObject({ ok: true, message: { account: '', name: 'OTIENO' } });
});

test('the account is kept exactly as the payer typed it', () => {
  expect(parse({ ...USUAL, BillRefNumber: ' Tandem Bonanza ' })).toMatchObject({
    message: { account: ' Tandem Bonanza ' },
  });
});

test('an account or a name of absurd length is cut and marked, and the payment goes on', () => {
  const long = `1029384756${' '.repeat(989)}😀${' '.repeat(10)}`;
  const parsed = parse({ ...USUAL, BillRefNumber: long, FirstName: 'A'.repeat(5_000) });
  expect(parsed).toMatchObject({
    ok: true,
    message: { account: `1029384756${' '.repeat(989)}…`.slice(0, 1_000), name: `${'A'.repeat(999)}…` },
  });
});

test.each([
  ['TransAmount', '10', { amount: '10.00' }],
  ['TransAmount', '1.00', { amount: '1.00' }],
  ['TransAmount', '90071992547409.93', { amount: '90071992547409.93' }],
  ['TransAmount', '12345678901234567.89', { amount: '12345678901234567.89' }],
  ['BusinessShortCode', '600100', { shortCode: '600100' }],
  ['TransTime', '20260804091330', { paidAt: new Date('2026-08-04T06:13:30.000Z') }],
  ['MSISDN', '254700000001', { msisdn: { phone: '254700000001', phoneHash: null } }],
  ['BillRefNumber', '10293847561029384756', { account: '10293847561029384756' }],
] as const)('%s as the JSON number %s keeps every digit', (field, json, expected) => {
  expect(parseText(withRaw(field, json))).toMatchObject({ ok: true, message: expected });
});

test.each([
  ['TransAmount', '1e3', 'amount_invalid'],
  ['TransAmount', '0.1e1', 'amount_invalid'],
  ['TransAmount', '-0', 'amount_not_positive'],
  ['TransAmount', '"one"', 'amount_invalid'],
  ['TransAmount', 'null', 'amount_missing'],
  ['TransAmount', '{"value":10}', 'amount_missing'],
  ['TransTime', '"2026-08-04T09:13:30"', 'time_invalid'],
  ['TransTime', 'true', 'time_missing'],
  ['BusinessShortCode', '""', 'short_code_missing'],
  ['BusinessShortCode', '"123456789012345678901"', 'short_code_invalid'],
] as const)('%s as %s is refused as %s, with the receipt', (field, json, reason) => {
  expect(parseText(withRaw(field, json))).toEqual({ ok: false, reason, receipt: 'UH4SP1L7W6' });
});

test.each([
  ['"None"', 'receipt_missing'],
  ['"UH4 SP1"', 'receipt_invalid'],
  ['[]', 'receipt_missing'],
] as const)('TransID as %s is refused as %s, without a receipt', (json, reason) => {
  expect(parseText(withRaw('TransID', json))).toEqual({ ok: false, reason, receipt: null });
});

test('a field of the prototype is not taken for a field of the message', () => {
  expect(parseText('{"__proto__":{"TransID":"UH4SP1L7W6"}}')).toEqual({
    ok: false,
    reason: 'receipt_missing',
    // It can be looked up, and credits nobody.
    receipt: 'UH4SP1L7W6',
  });
});

test('an amount given twice is refused, with the receipt', () => {
  const text = JSON.stringify(USUAL).replace('{', '{"TransAmount":"999.00",');
  expect(parseText(text)).toEqual({ ok: false, reason: 'duplicate_key', receipt: 'UH4SP1L7W6' });
});

test('a receipt given twice is refused, without a receipt', () => {
  const text = JSON.stringify(USUAL).replace('{', '{"TransID":"UH4OTHER00",');
  expect(parseText(text)).toEqual({ ok: false, reason: 'duplicate_key', receipt: null });
});

test('a message that is cut off is refused, with the receipt that it still shows', () => {
  expect(parseText(JSON.stringify(USUAL).slice(0, 80))).toEqual({
    ok: false,
    reason: 'body_not_json',
    receipt: 'UH4SP1L7W6',
  });
});

test('what text columns cannot hold is replaced in the fields and in the payload', () => {
  const text = withRaw('FirstName', '"A\\u0000B\\ud800"').replace('"1029384756"', '"10\\u0000"');
  expect(parseText(text)).toMatchObject({
    ok: true,
    message: {
      name: 'A\uFFFDB\uFFFD OTIENO',
      account: '10\uFFFD',
      payload: expect.stringContaining('"FirstName":"A\uFFFDB\uFFFD"') as string,
    },
  });
});

test('a byte order mark is not part of the payload', () => {
  const text = JSON.stringify(USUAL);
  expect(parseText(`\uFEFF${text}`)).toMatchObject({ ok: true, message: { payload: text } });
});

test('whatever bytes arrive, there is an answer and never an exception', () => {
  const mutations = fc
    .tuple(fc.nat(400), fc.nat(20), fc.uint8Array({ maxLength: 20 }))
    .map(([at, cut, insert]) => {
      const text = Buffer.from(JSON.stringify(USUAL));
      return Buffer.concat([text.subarray(0, at), insert, text.subarray(at + cut)]);
    });
  const anything = fc.oneof(
    mutations,
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.json().map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(anything, (body) => {
      const parsed = parseC2b(body);
      if (!parsed.ok) return;
      expect(parsed.message.amount).toMatch(/^\d{1,17}\.\d\d$/);
      expect(parsed.message.receipt).toMatch(/^[A-Z0-9]{1,50}$/);
      expect(parsed.message.account.isWellFormed()).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

test('fields are read in whatever case a system between M-PESA and us writes them, and not where two differ only in it', () => {
  const inCase = (change: (key: string) => string) =>
    Object.fromEntries(Object.entries(USUAL).map(([key, value]) => [change(key), value]));
  const usual = parse(USUAL);
  for (const change of [
    (key: string) => key.toLowerCase(),
    (key: string) => key.toUpperCase(),
    (key: string) => `${key.slice(0, 1).toLowerCase()}${key.slice(1).replace('ID', 'Id')}`,
  ]) {
    expect(parse(inCase(change))).toEqual(usual);
  }
  expect(parse({ ...inCase((key) => key.toLowerCase()), transAmount: '999.00' })).toMatchObject({
    ok: false,
    reason: 'amount_missing',
    receipt: USUAL.TransID,
  });
  // What is written as M-PESA writes it counts.
  expect(parse({ ...USUAL, transamount: '999.00' })).toMatchObject({ message: { amount: '152.00' } });
  expect(parseText(withRaw('TransAmount', '152.00').replace('TransAmount', 'transAmount'))).toMatchObject({
    message: { amount: '152.00' },
  });
});

test('a message in another one is kept with its receipt, so that it can be found', () => {
  for (const wrapped of [{ data: USUAL }, { Body: { C2B: [USUAL] } }]) {
    expect(parse(wrapped)).toEqual({ ok: false, reason: 'receipt_missing', receipt: USUAL.TransID });
  }
  expect(parse({ data: [USUAL, { ...USUAL, TransID: 'UH4SP1L7W7' }] })).toMatchObject({ receipt: null });
});
