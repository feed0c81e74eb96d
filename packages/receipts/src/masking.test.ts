import fc from 'fast-check';
import { expect, test } from 'vitest';
import { maskFacts, maskName, maskNumber } from './masking.ts';
import { exampleFacts, hostileTexts, SUSPENSE } from './testing/examples.ts';

test.each([
  ['John Mwangi', 'J*** M*****'],
  ['  wanjiku\t njeri \n kamau ', 'w***** n**** k****'],
  ['Al', 'A***'],
  ['Bartholomayo', 'B*****'],
  ['Anne Achieng Atieno Akinyi Auma', 'A*** A***** A***** A*****'],
  ['254712345678', '2*****'],
  ['محمد علي', 'م*** ع***'],
  ['<b>Jo</b>', '******'],
  ['\u202Eevil', 'e***'],
  ['e\u0301mile', 'é****'],
])('the name %j is shown as %j', (name, masked) => {
  expect(maskName(name)).toBe(masked);
});

test.each(['', '   ', '\u200F\u200B', '\0'])('of the name %j nothing can be shown', (name) => {
  expect(maskName(name)).toBeNull();
});

test('whatever a name is, its mask has an initial and stars for at most four words, and nothing else', () => {
  fc.assert(
    fc.property(hostileTexts, (name) => {
      const masked = maskName(name);
      if (masked !== null) expect(masked).toMatch(/^[\p{L}\p{N}*]\*{3,5}(?: [\p{L}\p{N}*]\*{3,5}){0,3}$/u);
    }),
  );
});

test.each([
  ['4412098848', '******8848'],
  ['1234567', '****567'],
  ['12', '*2'],
  ['7', '*'],
  ['', ''],
  ['123456<br>', '*******br*'],
])('the number %j is shown as %j', (number, masked) => {
  expect(maskNumber(number)).toBe(masked);
});

test('a mask of a number keeps its length and shows at most four signs and at most half', () => {
  fc.assert(
    fc.property(hostileTexts, (number) => {
      const signs = [...number];
      const masked = [...maskNumber(number)];
      const shown = masked.filter((sign) => sign !== '*').length;
      expect(masked.length).toBe(signs.length);
      expect(shown).toBeLessThanOrEqual(Math.min(4, signs.length / 2));
    }),
  );
});

test.each([
  ['MPESA-FLOAT', 'M-PESA'],
  ['SUSPENSE', 'Suspense account'],
  ['FEES', 'Fees'],
  ['PAYBILL-7', 'System account'],
])('the system wallet %s is a plain label without a number', (number, name) => {
  const { from } = maskFacts(exampleFacts({ from: { ...SUSPENSE, number } }));
  expect(from).toEqual({ kind: 'system', number: null, name });
});

test('a customer cannot pass for a system wallet by the number', () => {
  const { from } = maskFacts(exampleFacts({ from: { number: 'FEES', name: null, kind: 'CUSTOMER' } }));
  expect(from).toEqual({ kind: 'customer', number: '**ES', name: null });
});
