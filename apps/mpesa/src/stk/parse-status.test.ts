import { expect, test } from 'vitest';
import { parseStatus } from './parse-status.ts';

type Parameter = readonly [key: string, value?: unknown];

function bodyOf(parameters: readonly Parameter[], fields: Record<string, unknown> = {}): Buffer {
  const list = parameters.map(([Key, Value]) => ({ Key, ...(Value === undefined ? {} : { Value }) }));
  const Result = { ResultType: 0, ResultCode: 0, TransactionID: 'TKR0000000', ...fields };
  return Buffer.from(JSON.stringify({ Result: { ...Result, ResultParameters: { ResultParameter: list } } }));
}

const COMPLETED: readonly Parameter[] = [
  ['DebitPartyName', '254700000126 - Atieno Otieno'],
  ['DebitPartyName', '600100 - DAFTARI'],
  ['TransactionReason'],
  ['TransactionStatus', 'Completed'],
  ['FinalisedTime', '20261127120030'],
  ['Amount', '300'],
  ['ReceiptNo', 'TKR3MX6CLY'],
];

test('the second party of a repeated key is who was paid, and the receipt is not TransactionID', () => {
  expect(parseStatus(bodyOf(COMPLETED))).toEqual({
    ok: true,
    message: {
      kind: 'completed',
      receipt: 'TKR3MX6CLY',
      amount: '300.00',
      paidAt: new Date('2026-11-27T09:00:30.000Z'),
      phone: '254700000126',
      name: 'Atieno Otieno',
      receiver: '600100',
      payload: null,
    },
  });
});

test('other spellings are understood: CreditPartyName, FinalizedTime, numbers', () => {
  const parameters: readonly Parameter[] = [
    ['DebitPartyName', '2547****126 - A B'],
    ['CreditPartyName', '600100 - DAFTARI'],
    ['TransactionStatus', 'Completed'],
    ['FinalizedTime', 20261127120030],
    ['Amount', 300.5],
    ['ReceiptNo', 'tkr3mx6cly'],
  ];
  expect(parseStatus(bodyOf(parameters))).toMatchObject({
    message: {
      kind: 'completed',
      receipt: 'TKR3MX6CLY',
      amount: '300.50',
      phone: '2547****126',
      receiver: '600100',
    },
  });
});

test.each([
  ['Initiated', { kind: 'open' }],
  ['Authorized', { kind: 'open' }],
  ['Cancelled', { kind: 'refuted', reason: 'cancelled' }],
  ['Declined', { kind: 'refuted', reason: 'declined' }],
  ['Expired', { kind: 'refuted', reason: 'expired' }],
  ['<b>', { kind: 'refuted', reason: 'status_unknown' }],
])('%s', (status, message) => {
  const others = COMPLETED.filter(([key]) => key !== 'TransactionStatus');
  expect(parseStatus(bodyOf([...others, ['TransactionStatus', status]]))).toEqual({ ok: true, message });
});

test('a receipt that M-PESA does not know is refuted with its code', () => {
  expect(parseStatus(bodyOf([], { ResultCode: '2032' }))).toEqual({
    ok: true,
    message: { kind: 'refuted', reason: 'code_2032' },
  });
});

test.each([
  ['no result', Buffer.from('{}'), 'callback_missing'],
  ['no code', bodyOf(COMPLETED, { ResultCode: null }), 'result_missing'],
  ['no receipt', bodyOf(COMPLETED.slice(0, -1)), 'receipt_missing'],
  ['no amount', bodyOf(COMPLETED.filter(([key]) => key !== 'Amount')), 'amount_missing'],
] as const)('%s is refused', (_what, body, reason) => {
  expect(parseStatus(body)).toMatchObject({ ok: false, reason });
});

test('keys are read in whatever case they are written, and a result within another message keeps its receipt', () => {
  const text = bodyOf(COMPLETED).toString();
  const lower = text
    .replaceAll(/"(\w+)":/g, (_, key: string) => `"${key.toLowerCase()}":`)
    .replaceAll(/"key":"(\w+)"/g, (_, name: string) => `"key":"${name.toUpperCase()}"`);
  expect(parseStatus(Buffer.from(lower))).toEqual(parseStatus(bodyOf(COMPLETED)));
  expect(parseStatus(Buffer.from(`{"data":${text}}`))).toEqual({
    ok: false,
    reason: 'callback_missing',
    receipt: 'TKR3MX6CLY',
  });
});
