import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { receiptHtml } from './receipt-html.ts';
import { receiptJson } from './receipt-json.ts';
import type { SigningKeys } from './signing-keys.ts';
import { signReceipt } from './signed-receipt.ts';
import type { Receipt } from './signed-receipt.ts';
import { decodeCode, paint } from './testing/decode-code.ts';
import {
  anyFacts,
  BASE_URL,
  broadFacts,
  BROAD_ISSUER,
  exampleFacts,
  freshKeys,
  fullFacts,
  ISSUER,
  SUSPENSE,
} from './testing/examples.ts';
import { drawnModules, fieldOf, skeleton } from './testing/read-page.ts';

let keys: SigningKeys;
let receipt: Receipt;

beforeAll(async () => {
  keys = await freshKeys();
  receipt = await signReceipt(keys, exampleFacts({ to: SUSPENSE }), { baseUrl: BASE_URL, issuer: ISSUER });
});

const FIELDS = ['amount', 'type', 'time', 'from', 'to', 'reference', 'hash'];

test.each([
  ['en', ['Transfer', 'Suspense account']],
  ['sw', ['Kutuma pesa', 'Akaunti ya muda']],
] as const)('the page in %s shows the transaction', (language, [type, to]) => {
  const page = receiptHtml(receipt, { language });
  expect(FIELDS.map((field) => fieldOf(page, field))).toEqual([
    'KES 1,500.00',
    type,
    '22 Nov 2026, 20:15 EAT',
    'J*** M*****, ******8848',
    to,
    'TRF-01JD8Y2Q4V7M',
    exampleFacts().verificationHash,
  ]);
  expect(page).toContain(`<html lang="${language}">`);
});

test('the JSON has the same facts, masked, with where to check them and the signature', () => {
  expect(receiptJson(receipt)).toEqual({
    reference: 'TRF-01JD8Y2Q4V7M',
    type: 'transfer',
    amount: '1500.00',
    currency: 'KES',
    createdAt: '2026-11-22T17:15:00.000Z',
    verificationHash: exampleFacts().verificationHash,
    from: { kind: 'customer', number: '******8848', name: 'J*** M*****' },
    to: { kind: 'system', number: null, name: 'Suspense account' },
    paidAt: null,
    fee: null,
    narrative: null,
    issuer: { name: 'Mwananchi Sacco', contact: '0700 000 000' },
    verifyUrl: `${BASE_URL}/verify/TRF-01JD8Y2Q4V7M/${exampleFacts().verificationHash}`,
    jws: receipt.jws,
  });
});

test.each([
  ['a4', 'en'],
  ['a4', 'sw'],
  ['roll', 'en'],
  ['roll', 'sw'],
] as const)('the code that is drawn for %s leads to the check in %s', (paper, language) => {
  const page = receiptHtml(receipt, { paper, language });
  expect(decodeCode(paint(drawnModules(page)))).toBe(`${receipt.verifyUrl}?lang=${language}`);
});

test.for([
  ['en', ['Paid', 'Recorded', 'Fee', 'For'], 'KES 15.00, paid by the receiver', 'Questions? 0700 000 000'],
  [
    'sw',
    ['Imelipwa', 'Imerekodiwa', 'Ada', 'Maelezo'],
    'KES 15.00, imelipwa na mpokeaji',
    'Una swali? 0700 000 000',
  ],
] as const)(
  'in %s it says whose it is, when it was paid, the fee and what it was for',
  async ([language, labels, fee, contact]) => {
    const page = receiptHtml(await signReceipt(keys, fullFacts, { baseUrl: BASE_URL, issuer: ISSUER }), {
      language,
    });
    expect(
      ['issuer', 'paid', 'time', 'fee', 'narrative', 'contact', 'address'].map((field) =>
        fieldOf(page, field),
      ),
    ).toEqual([
      'Mwananchi Sacco',
      '22 Nov 2026, 20:14 EAT',
      '22 Nov 2026, 20:15 EAT',
      fee,
      'Rent for November',
      contact,
      receipt.verifyUrl.replace('https://', ''),
    ]);
    for (const label of labels) expect(page).toContain(`<dt>${label}</dt>`);
  },
);

test.for([
  ['en', 'a4', '?lang=sw', 'sw', 'Kiswahili'],
  ['sw', 'a4', '?lang=en', 'en', 'English'],
  ['sw', 'roll', '?lang=en&amp;paper=roll', 'en', 'English'],
] as const)('the page in %s for %s leads to the other language', ([language, paper, href, other, name]) => {
  expect(receiptHtml(receipt, { language, paper })).toContain(
    `<a lang="${other}" hreflang="${other}" href="${href}">${name}</a>`,
  );
});

test('nobody is named, and no wallet number is whole, in any output', () => {
  const outputs = [
    receiptHtml(receipt),
    receiptHtml(receipt, { paper: 'roll', language: 'sw' }),
    JSON.stringify(receiptJson(receipt)),
  ];
  for (const output of outputs) expect(output).not.toMatch(/John|Mwangi|4412098848|SUSPENSE|nobody yet/);
});

test('the same receipt gives the same bytes', () => {
  expect(receiptHtml({ ...receipt })).toBe(receiptHtml(receipt));
});

test('a broad receipt gets a longer roll', async () => {
  const broad = await signReceipt(keys, broadFacts, { baseUrl: BASE_URL, issuer: BROAD_ISSUER });
  const lengths = [receipt, broad].map((one) => {
    const [, length] = /size: 80mm (\d+)mm/.exec(receiptHtml(one, { paper: 'roll' })) ?? [];
    return Number(length);
  });
  expect(lengths[1]).toBeGreaterThan(lengths[0] ?? Number.NaN);
});

describe('whatever the transaction holds', () => {
  test('the page has the same elements, and shows it', async () => {
    const expected = skeleton(receiptHtml(await signReceipt(keys, fullFacts, { baseUrl: BASE_URL })));
    await fc.assert(
      fc.asyncProperty(anyFacts, async (facts) => {
        const page = receiptHtml(await signReceipt(keys, facts, { baseUrl: BASE_URL }));
        expect(skeleton(page)).toEqual(expected);
        expect(fieldOf(page, 'hash')).toBe(facts.verificationHash);
        expect(fieldOf(page, 'amount')?.replaceAll(',', '')).toBe(`KES ${facts.amount}`);
        expect(fieldOf(page, 'reference')).toBe(
          facts.reference.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '\uFFFD'),
        );
        expect(fieldOf(page, 'narrative')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        expect(fieldOf(page, 'from')).not.toMatch(/[\u202A-\u202E\u2066-\u2069\u200E\u200F]/);
      }),
    );
  });

  test('the page has no script, no event handler, and loads nothing', async () => {
    await fc.assert(
      fc.asyncProperty(anyFacts, async (facts) => {
        const page = receiptHtml(await signReceipt(keys, facts, { baseUrl: BASE_URL }));
        const tags = [...page.matchAll(/<[^>]*>/g)].map(([tag]) => tag);
        expect(tags.filter((tag) => /^<(?:script|img|iframe|object|embed|form|base)\b/i.test(tag))).toEqual(
          [],
        );
        expect(tags.filter((tag) => /\son\w+=|\ssrc=/i.test(tag.replaceAll(/"[^"]*"/g, '""')))).toEqual([]);
        expect(page).not.toMatch(/@import|url\(/);
      }),
    );
  });
});
