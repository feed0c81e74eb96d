import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { verdictJson, verifyPage } from './verify-page.ts';
import { anyFacts, exampleFacts, fullFacts, ISSUER } from './testing/examples.ts';
import { fieldOf, skeleton } from './testing/read-page.ts';

const LANGUAGES = ['en', 'sw'] as const;
const facts = exampleFacts();
const GENUINE = { genuine: true, facts } as const;

test.each([
  ['en', 'Genuine receipt', 'Transfer'],
  ['sw', 'Risiti halali', 'Kutuma pesa'],
] as const)('a genuine receipt in %s: the verdict and the masked facts', (language, heading, type) => {
  const page = verifyPage({ verdict: GENUINE, language });
  expect(page).toContain(`<h1>${heading}</h1>`);
  expect(['amount', 'type', 'time', 'from', 'to', 'reference'].map((field) => fieldOf(page, field))).toEqual([
    'KES 1,500.00',
    type,
    '22 Nov 2026, 20:15 EAT',
    'J*** M*****, ******8848',
    'W***** N**** K****, ******1234',
    'TRF-01JD8Y2Q4V7M',
  ]);
  expect(page).not.toMatch(/John|Mwangi|Wanjiku|4412098848|9912091234/);
});

test.each([
  ['en', 'Not genuine'],
  ['sw', 'Risiti si halali'],
] as const)('a receipt that is not genuine in %s: the verdict and no facts', (language, heading) => {
  const page = verifyPage({ verdict: { genuine: false }, language });
  expect(page).toContain(`<h1>${heading}</h1>`);
  expect(page).not.toMatch(/data-field="(?:amount|from|to|time)"|KES/);
});

test.each([
  ['en', 'Genuine, but the money was given back', 'KES 1,200.50 of this payment was given back.'],
  ['sw', 'Risiti halali, lakini pesa zimerudishwa', 'KES 1,200.50 za malipo haya zimerudishwa.'],
] as const)('a genuine receipt whose money was given back warns in %s', (language, heading, help) => {
  const page = verifyPage({ verdict: { ...GENUINE, reversedAmount: '1200.50' }, language });
  expect(page).toContain(`<h1>${heading}</h1>`);
  expect(page).toContain(help);
});

test('a reversed amount that is no sum is refused', () => {
  const verdict = { ...GENUINE, reversedAmount: '<b>' };
  expect(() => verifyPage({ verdict, language: 'en' })).toThrow(
    expect.objectContaining({ code: 'AMOUNT_INVALID' }),
  );
  expect(() => verdictJson(verdict)).toThrow(expect.objectContaining({ code: 'AMOUNT_INVALID' }));
});

describe.each(LANGUAGES)('in %s, whatever the transaction holds', (language) => {
  test('the page has the same elements and stays under 30 KB', () => {
    const expected = skeleton(verifyPage({ verdict: { genuine: true, facts: fullFacts }, language }));
    fc.assert(
      fc.property(anyFacts, (hostile) => {
        const page = verifyPage({ verdict: { genuine: true, facts: hostile }, language });
        expect(skeleton(page)).toEqual(expected);
        expect(Buffer.byteLength(page)).toBeLessThan(30_000);
      }),
    );
  });
});

test('the JSON has masked facts, or nothing at all', () => {
  expect(verdictJson({ genuine: false })).toEqual({ genuine: false });
  expect(verdictJson({ ...GENUINE, reversedAmount: '5.00' }, ISSUER)).toEqual({
    genuine: true,
    reversedAmount: '5.00',
    reference: 'TRF-01JD8Y2Q4V7M',
    type: 'transfer',
    amount: '1500.00',
    currency: 'KES',
    createdAt: '2026-11-22T17:15:00.000Z',
    verificationHash: facts.verificationHash,
    from: { kind: 'customer', number: '******8848', name: 'J*** M*****' },
    to: { kind: 'customer', number: '******1234', name: 'W***** N**** K****' },
    paidAt: null,
    fee: null,
    narrative: null,
    issuer: { name: 'Mwananchi Sacco', contact: '0700 000 000' },
  });
});

test.for([
  ['en', '?lang=sw', 'sw', 'Kiswahili', 'Questions? 0700 000 000'],
  ['sw', '?lang=en', 'en', 'English', 'Una swali? 0700 000 000'],
] as const)(
  'in %s every verdict says whose page it is and leads to the other language',
  ([language, href, other, name, contact]) => {
    for (const verdict of [GENUINE, { genuine: false } as const]) {
      const page = verifyPage({ verdict, language, issuer: ISSUER });
      expect([fieldOf(page, 'issuer'), fieldOf(page, 'contact')]).toEqual(['Mwananchi Sacco', contact]);
      expect(page).toContain(`<a lang="${other}" hreflang="${other}" href="${href}">${name}</a>`);
    }
  },
);

test('the page shows when it was paid, the fee and what it was for', () => {
  const page = verifyPage({ verdict: { genuine: true, facts: fullFacts }, language: 'en', issuer: ISSUER });
  expect(['paid', 'time', 'fee', 'narrative'].map((field) => fieldOf(page, field))).toEqual([
    '22 Nov 2026, 20:14 EAT',
    '22 Nov 2026, 20:15 EAT',
    'KES 15.00, paid by the receiver',
    'Rent for November',
  ]);
});
