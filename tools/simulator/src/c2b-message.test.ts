import { expect, test } from 'vitest';
import { C2B_SHAPES, confirmationOf, validationOf } from './c2b-message.ts';
import { createPayment } from './payment.ts';
import { createRandom } from './random.ts';

const payment = createPayment(createRandom('message'), {
  receipt: 'UH4SP1L7W6',
  paidAt: new Date('2026-08-04T06:13:30Z'),
  amount: '152.00',
  account: '1029384756',
  phone: '254700000126',
  firstName: 'ATIENO',
  middleName: 'AKINYI',
  lastName: 'OTIENO',
  orgBalance: '26781.80',
});

test('a masked confirmation is written as M-PESA writes it, key by key', () => {
  expect(JSON.stringify(confirmationOf(payment, 'masked'))).toBe(
    '{"TransactionType":"Pay Bill","TransID":"UH4SP1L7W6","TransTime":"20260804091330","TransAmount":"152.00",' +
      '"BusinessShortCode":"600100","BillRefNumber":"1029384756","InvoiceNumber":"","OrgAccountBalance":"26781.80",' +
      '"ThirdPartyTransID":"","MSISDN":"2547 ***** 126","FirstName":"ATIENO"}',
  );
});

test('a plain confirmation has the number in clear and three names', () => {
  expect(confirmationOf(payment, 'plain')).toMatchObject({
    MSISDN: '254700000126',
    FirstName: 'ATIENO',
    MiddleName: 'AKINYI',
    LastName: 'OTIENO',
  });
});

test('a hashed number is 64 hex digits, and masked it is 34 and 25 of them', () => {
  expect(confirmationOf(payment, 'hashed').MSISDN).toMatch(/^[0-9a-f]{64}$/);
  expect(confirmationOf(payment, 'hashed-masked').MSISDN).toMatch(/^[0-9a-f]{34} \*{5} [0-9a-f]{25}$/);
});

test('a till has no account, and in the short form no empty field', () => {
  expect(confirmationOf(payment, 'till')).toMatchObject({
    TransactionType: 'Customer Merchant Payment',
    BillRefNumber: '',
  });
  expect(Object.keys(confirmationOf(payment, 'till-short'))).toEqual([
    'TransactionType',
    'TransID',
    'TransTime',
    'TransAmount',
    'BusinessShortCode',
    'MSISDN',
    'FirstName',
    'LastName',
  ]);
});

test('an organisation has no number and one name', () => {
  const message = confirmationOf(payment, 'organisation');
  expect(message).toMatchObject({
    TransactionType: 'Organization To Organization Transfer',
    MSISDN: '',
    InvoiceNumber: 'OK',
  });
  expect(message).not.toHaveProperty('LastName');
});

test.each(C2B_SHAPES)('the validation of a %s payment carries the same receipt and no balance', (shape) => {
  const confirmation = confirmationOf(payment, shape);
  const validation = validationOf(payment, shape);
  expect(Object.keys(validation)).toEqual(Object.keys(confirmation));
  expect(validation.TransID).toBe(confirmation.TransID);
  expect(validation.TransactionType).toBe('');
  expect(validation.OrgAccountBalance ?? '').toBe('');
});
