import { verificationHash } from '@repo/db';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkFacts, expectedHash } from './receipt-facts.ts';
import type { ReceiptFacts } from './receipt-facts.ts';
import { amounts, exampleFacts, instants, references } from './testing/examples.ts';

test('the published example has the published hash', () => {
  const example = { reference: 'QKJ41HARMI', amount: '1500.00', createdAt: '2024-01-15T09:30:00.000Z' };
  expect(expectedHash(example)).toBe('28b799813a4f87ab97d37339ededccc9b5554c53cb562907aab0689e61f89f6a');
});

test('the hash that is checked is the hash that the ledger writes, for any transaction', () => {
  fc.assert(
    fc.property(references, amounts, instants, (reference, amount, createdAt) => {
      expect(expectedHash({ reference, amount, createdAt: createdAt.toISOString() })).toBe(
        verificationHash({ reference, amount, createdAt }),
      );
    }),
  );
});

const genuine = exampleFacts();

test.each<[string, Partial<ReceiptFacts>, string]>([
  ['another amount', { amount: '1500.01' }, 'FACTS_CONTRADICT_HASH'],
  ['another reference', { reference: 'TRF-01JD8Y2Q4V7N' }, 'FACTS_CONTRADICT_HASH'],
  ['another time', { createdAt: new Date('2026-11-22T17:15:00.001Z') }, 'FACTS_CONTRADICT_HASH'],
  ['another hash', { verificationHash: '0'.repeat(64) }, 'FACTS_CONTRADICT_HASH'],
  ['an amount without cents', { amount: '1500' }, 'AMOUNT_INVALID'],
  ['a grouped amount', { amount: '1,500.00' }, 'AMOUNT_INVALID'],
  ['a negative amount', { amount: '-1500.00' }, 'AMOUNT_INVALID'],
  ['a third decimal', { amount: '1500.000' }, 'AMOUNT_INVALID'],
  ['no reference', { reference: '' }, 'FACTS_INVALID'],
  ['a reference with a NUL', { reference: 'A\0' }, 'FACTS_INVALID'],
  ['half a character', { reference: '\uD800' }, 'FACTS_INVALID'],
  ['a reference without end', { reference: 'A'.repeat(101) }, 'FACTS_INVALID'],
  ['no date', { createdAt: new Date(Number.NaN) }, 'FACTS_INVALID'],
])('facts with %s are refused', (_what, changes, code) => {
  expect(() => checkFacts({ ...genuine, ...changes })).toThrow(expect.objectContaining({ code }));
});
