import { newWalletNumber } from '@repo/db';
import fc from 'fast-check';
import { anyCharacter } from '@repo/testing/characters';
import { expect, test } from 'vitest';
import { maskAccount, maskName, maskPhone } from './personal-data.ts';

test.each([
  ['254700000126', '*********126'],
  ['0700 000 126', '**** *** 126'],
  ['+254-700-000-126', '+***-***-***-126'],
  ['RENT 4B', 'R*** 4B'],
  ['Atieno Otieno', 'A***** O*****'],
  ['Wanjikũ 0712345678', 'W****** *******678'],
  ['٠٧٠٠٠٠٠١٢٦', '*******١٢٦'],
  ['27', '27'],
  ['', ''],
])('the account %j is shown as %j to those who may not see who paid', (typed, shown) => {
  expect(maskAccount(typed)).toBe(shown);
});

test('a wallet number is shown whole', () => {
  const number = newWalletNumber();
  expect(maskAccount(number)).toBe(number);
});

test('no more than three digits of anything else and no two letters beside each other are left', () => {
  fc.assert(
    fc.property(fc.string({ unit: anyCharacter }), (typed) => {
      const shown = maskAccount(typed);
      expect(shown.match(/\p{N}/gu)?.length ?? 0).toBeLessThanOrEqual(3);
      expect(shown).not.toMatch(/\p{L}\p{L}/u);
    }),
  );
});

test.each([
  ['254700000126', '2547*****126'],
  ['2547 ***** 126', '2547 ***** 126'],
  ['600123', '*****123'],
])('the number %s is shown as %s', (phone, shown) => {
  expect(maskPhone(phone)).toBe(shown);
});

test('of a name the first letter of each word is shown', () => {
  expect(maskName('ATIENO AKINYI')).toBe('A***** A*****');
});
