import { expect, test } from 'vitest';
import { readPullAnswer } from './pull-answer.ts';

const ROW = {
  transactionId: 'tkRab12Cd3',
  trxDate: '2026-11-27T10:13:00Z',
  msisdn: 700000126,
  sender: 'MPESA',
  transactiontype: 'c2b-pay-bill-debit',
  billreference: '4412098848',
  amount: '168.00',
  organizationname: 'DAFTARI',
};

function answer(body: unknown, status = 200) {
  return readPullAnswer({
    status,
    retryAfter: null,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

const page = (rows: unknown) => ({
  ResponseRefID: '1-2-3',
  ResponseCode: '1000',
  ResponseMessage: 'Success',
  Response: rows,
});

test.each([
  ['in an array inside an array', [[ROW]]],
  ['in an array', [ROW]],
  [
    'with other capitals in its keys',
    [[{ ...ROW, transactionId: undefined, TransactionID: ROW.transactionId }]],
  ],
])('a row is read %s', (_how, rows) => {
  expect(answer(page(rows))).toMatchObject({
    kind: 'page',
    size: 1,
    rows: [
      {
        receipt: 'TKRAB12CD3',
        amount: '168.00',
        account: '4412098848',
        writtenMs: Date.UTC(2026, 10, 27, 10, 13),
        msisdn: { phone: '254700000126', phoneHash: null },
      },
    ],
  });
});

test('an amount keeps its digits, also as a number', () => {
  const body = JSON.stringify(page([[ROW]])).replace('"168.00"', '90071992547409.93');
  expect(answer(body)).toMatchObject({ rows: [{ amount: '90071992547409.93' }] });
});

test.each([
  [
    'an empty array inside an array',
    { ResponseCode: '1001', ResponseMessage: 'No transactions', Response: [[]] },
    200,
  ],
  [
    'an error',
    { errorCode: '500', errorMessage: 'The ShortCode 1 does not have any available transactions' },
    500,
  ],
])('no payments are said by %s', (_how, body, status) => {
  expect(answer(body, status)).toEqual({ kind: 'page', rows: [], size: 0 });
});

test('rows that cannot be read are counted and left', () => {
  const rows = [
    ROW,
    { ...ROW, amount: 'x' },
    { ...ROW, transactionId: '' },
    { ...ROW, trxDate: 'soon' },
    'row',
  ];
  expect(answer(page([rows]))).toMatchObject({ size: 4, rows: [{ receipt: 'TKRAB12CD3' }] });
});

test('a token that is not valid is no answer, and a refusal is told with its code', () => {
  expect(answer({ errorCode: '404.001.03', errorMessage: 'Invalid Access Token' }, 401)).toBeNull();
  expect(answer('<html>', 502)).toEqual({ kind: 'refused', code: 'HTTP 502', text: '' });
});
