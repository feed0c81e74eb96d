import { expect, it } from 'vitest';
import { OrderError, readPayOrder } from './pay-order.ts';

const RIGHT = { account: '1234567890', amount: '10.00' };

it('an order is taken as it is, once when it does not say how often', () => {
  expect(readPayOrder(JSON.stringify(RIGHT))).toEqual({ ...RIGHT, copies: 1 });
  expect(readPayOrder(JSON.stringify({ ...RIGHT, copies: 3 }))).toEqual({ ...RIGHT, copies: 3 });
  expect(readPayOrder(JSON.stringify({ ...RIGHT, amount: '10' })).amount).toBe('10');
});

it.each([
  ['amount', { amount: 10 }],
  ['amount', { amount: undefined }],
  ['amount', { amount: null }],
  ['amount', { amount: '' }],
  ['amount', { amount: '0.00' }],
  ['amount', { amount: '-1.00' }],
  ['amount', { amount: '1.005' }],
  ['amount', { amount: '1,000.00' }],
  ['amount', { amount: '1e3' }],
  ['account', { account: 1234567890 }],
  ['account', { account: undefined }],
  ['copies', { copies: '3' }],
  ['copies', { copies: 0 }],
  ['copies', { copies: 1.5 }],
  ['copies', { copies: 1001 }],
  ['copies', { copies: null }],
  ['Amount', { Amount: '10.00' }],
])('an order with a wrong %s is refused by its name: %o', (member, wrong) => {
  const reading = () => readPayOrder(JSON.stringify({ ...RIGHT, ...wrong }));
  expect(reading).toThrow(OrderError);
  expect(reading).toThrow(`"${member}"`);
});

it.each(['', 'no json', '[]', '"text"', 'null', '{"amount":'])(
  'a body that is no object is refused: %s',
  (body) => {
    expect(() => readPayOrder(body)).toThrow('JSON object');
  },
);
