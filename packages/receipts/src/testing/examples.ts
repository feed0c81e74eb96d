import { verificationHash } from '@repo/db';
import fc from 'fast-check';
import { anyCharacter } from '@repo/testing/characters';
import { TRANSACTION_TYPES } from '../receipt-facts.ts';
import type { Issuer, Party, ReceiptFacts } from '../receipt-facts.ts';
import { createSigningKeys, newSigningKey } from '../signing-keys.ts';
import type { PublicJwk, SigningKeys } from '../signing-keys.ts';

export const BASE_URL = 'https://wallet.example.co.ke';

const JOHN: Party = { number: '4412098848', name: 'John Mwangi', kind: 'CUSTOMER' };
const WANJIKU: Party = { number: '9912091234', name: 'Wanjiku Njeri Kamau', kind: 'CUSTOMER' };
export const SUSPENSE: Party = { number: 'SUSPENSE', name: 'Payments of nobody yet', kind: 'SYSTEM' };

/** A transfer of KES 1,500.00, or what `changes` makes of it, with the hash that the ledger gives it. */
export function exampleFacts(changes: Partial<ReceiptFacts> = {}): ReceiptFacts {
  const facts = {
    reference: 'TRF-01JD8Y2Q4V7M',
    type: 'TRANSFER' as const,
    amount: '1500.00',
    currency: 'KES' as const,
    createdAt: new Date('2026-11-22T17:15:00.000Z'),
    from: JOHN,
    to: WANJIKU,
    ...changes,
  };
  return { verificationHash: verificationHash(facts), ...facts };
}

export const ISSUER: Issuer = { name: 'Mwananchi Sacco', contact: '0700 000 000' };

/** A deposit that says all that a receipt can say. */
export const fullFacts = exampleFacts({
  type: 'DEPOSIT',
  paidAt: new Date('2026-11-22T17:14:03.000Z'),
  fee: { amount: '15.00', paidBy: 'to' },
  narrative: 'Rent for November',
});

/** The largest and broadest that the ledger can hold. */
export const broadFacts = exampleFacts({
  reference: 'W'.repeat(50),
  type: 'ASSIGNMENT',
  amount: '99999999999999999.99',
  from: { number: '12345678901234567890', name: 'Wwwwwwwwwwwwww '.repeat(9), kind: 'CUSTOMER' },
  to: SUSPENSE,
  paidAt: new Date('2026-09-28T20:58:00.000Z'),
  fee: { amount: '99999999999999999.99', paidBy: 'to' },
  narrative: 'W'.repeat(255),
});

export const BROAD_ISSUER: Issuer = { name: 'W'.repeat(60), contact: 'W'.repeat(100) };

export async function keysOf(...keys: readonly Partial<PublicJwk>[]): Promise<SigningKeys> {
  return createSigningKeys(JSON.stringify({ keys }));
}

export async function freshKeys(): Promise<SigningKeys> {
  return keysOf(await newSigningKey());
}

/** What people type, paste and attack with. */
export const hostileTexts = fc.oneof(
  fc.string({ unit: anyCharacter, maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.constantFrom(
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    `' onmouseover='alert(1)`,
    '</title></style><h1>Genuine receipt</h1>',
    '<!-- ',
    '&lt;b&gt;&amp;',
    '\u202Egnp.evil\u202C',
    '\u200F\u200F',
    'محمد علي',
    'ሰላም አበበ',
    'Ŵ Ǹjeri O\u0301',
    '👩🏾‍🌾 👩🏾‍🌾',
    'x'.repeat(5_000),
  ),
);

export const references = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'ABCDEFGHJKLMNPQRSTUVWXYZ0123456789-'), minLength: 1, maxLength: 50 }),
  hostileTexts
    .map((text) => text.slice(0, 50))
    .filter((text) => text !== '' && !text.includes('\0') && text.isWellFormed()),
);

const customers = fc.record({
  number: fc.oneof(
    fc.stringMatching(/^[1-9]\d{9}$/),
    hostileTexts.map((text) => text.slice(0, 20)),
  ),
  name: fc.option(hostileTexts),
  kind: fc.constant('CUSTOMER' as const),
});
const systemWallets = fc.record({
  number: fc.oneof(fc.constantFrom('MPESA-FLOAT', 'SUSPENSE', 'FEES'), hostileTexts),
  name: fc.option(hostileTexts),
  kind: fc.constant('SYSTEM' as const),
});
const parties: fc.Arbitrary<Party> = fc.oneof(customers, systemWallets);

export const amounts = fc
  .bigInt({ min: 0n, max: 9_999_999_999_999_999_999n })
  .map((cents) => cents.toString().padStart(3, '0'))
  .map((digits) => `${digits.slice(0, -2)}.${digits.slice(-2)}`);

export const instants = fc.date({
  min: new Date('2000-01-01T00:00:00.000Z'),
  max: new Date('2099-12-31T23:59:59.999Z'),
  noInvalidDate: true,
});

/** Any transaction, hostile ones included, with the hash that belongs to it. */
export const anyFacts: fc.Arbitrary<ReceiptFacts> = fc
  .record({
    reference: references,
    type: fc.constantFrom(...TRANSACTION_TYPES),
    amount: amounts,
    currency: fc.constant('KES' as const),
    createdAt: instants,
    from: parties,
    to: parties,
    paidAt: instants,
    fee: fc.record({ amount: amounts, paidBy: fc.constantFrom('from', 'to') }),
    narrative: hostileTexts
      .map((text) => text.slice(0, 255))
      .filter((text) => text !== '' && text.isWellFormed()),
  })
  .map((facts) => exampleFacts(facts));
