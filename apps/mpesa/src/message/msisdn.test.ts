import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { anyCharacter } from '@repo/testing/characters';
import { expect, test } from 'vitest';
import { readMsisdn } from './msisdn.ts';

const hash = createHash('sha256').update('254700000001').digest('hex');

test.each([
  ['254712345678', '254712345678'],
  ['+254712345678', '254712345678'],
  ['00254712345678', '254712345678'],
  ['0712345678', '254712345678'],
  ['712345678', '254712345678'],
  ['0112345678', '254112345678'],
  ['0712 345-678', '254712345678'],
  ['600100', '600100'],
  ['256712345678', '256712345678'],
])('the plain number %j is kept as %s', (text, phone) => {
  expect(readMsisdn(text)).toEqual({ phone, phoneHash: null });
});

test.each(['2547 ***** 126', '25470****149', '2547****0000', '2541 ***** 507', '254721***933'])(
  'the mask %j is kept as sent',
  (mask) => {
    expect(readMsisdn(mask)).toEqual({ phone: mask, phoneHash: null });
  },
);

test('a hash of 64 hex digits is kept as a hash in lower case', () => {
  expect(readMsisdn(hash.toUpperCase())).toEqual({ phone: null, phoneHash: hash });
});

test('a hash that was masked is kept without its spaces, 64 characters again', () => {
  const masked = `${hash.slice(0, 34)} ***** ${hash.slice(39)}`;
  const phoneHash = `${hash.slice(0, 34)}*****${hash.slice(39)}`;
  expect(phoneHash).toHaveLength(64);
  expect(readMsisdn(masked)).toEqual({ phone: null, phoneHash });
});

test.each([
  '',
  ' ',
  'None',
  'anonymous',
  '***',
  '1'.repeat(21),
  `2547 ${'*'.repeat(30)} 126`,
  '2547*x*126',
  `${hash}ab`,
])('%j says nothing about the payer or is kept as far as it is a mask', (text) => {
  const { phone, phoneHash } = readMsisdn(text);
  expect(phoneHash === null || /^[0-9a-f*]{1,64}$/.test(phoneHash)).toBe(true);
  expect(phone).toBe(text === '***' ? '***' : null);
});

test('whatever is sent, a phone fits its column, a hash fits its own, and never are both set', () => {
  const texts = fc.string({
    unit: fc.constantFrom('0', '7', '2', 'a', 'f', 'g', '*', ' ', '+', '-', '\0', '\uD800'),
  });
  fc.assert(
    fc.property(fc.oneof(texts, fc.string({ unit: anyCharacter })), (text) => {
      const { phone, phoneHash } = readMsisdn(text);
      expect(phone ?? '').toMatch(/^[\d* +]{0,20}$/);
      expect(phoneHash ?? '').toMatch(/^[0-9a-f*]{0,64}$/);
      expect(phone === null || phoneHash === null).toBe(true);
    }),
  );
});
