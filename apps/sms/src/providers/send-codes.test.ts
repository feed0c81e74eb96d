import fc from 'fast-check';
import { anyCharacter } from '@repo/testing/characters';
import { expect, test } from 'vitest';
import { harmless, reasonOf, SEND_CODES } from './send-codes.ts';

test('every reason is a sentence that says what to do', () => {
  for (const [code, sentence] of Object.entries(SEND_CODES)) {
    expect(code).toMatch(/^[a-z_]+$/);
    expect(sentence).toMatch(/^[A-Z].*\.$/);
  }
});

test("the provider's words stand behind the sentence", () => {
  expect(reasonOf('blacklisted', '406 UserInBlacklist')).toMatch(/\. \(406 UserInBlacklist\)$/);
  expect(reasonOf('blacklisted')).toBe(SEND_CODES.blacklisted);
});

test.each([
  ['Invalid phone number: +254700000126', 'Invalid phone number: #'],
  ['254 700 000 126 is not valid', '# is not valid'],
  ['2547 ***** 126', '#'],
  ['+254711XXX126', '#'],
  [`no ${'0123456789abcdef'.repeat(4)} here`, 'no # here'],
  ['101 Success', '101 Success'],
  ['HTTP 429', 'HTTP 429'],
  ['two\r\nlines\0', 'two lines'],
  ['\uD800', '\uFFFD'],
])('%j may be kept as %j', (words, kept) => {
  expect(harmless(words)).toBe(kept);
});

test('no words keep a phone number or a hash, grow long, or hold what a log line cannot', () => {
  const number = fc.stringMatching(/^\+?254[17]\d{8}$/);
  const hash = fc.stringMatching(/^[0-9a-f]{64}$/);
  fc.assert(
    fc.property(
      fc.string({ unit: anyCharacter }),
      fc.oneof(number, hash),
      fc.string(),
      (before, secret, after) => {
        const kept = harmless(`${before} ${secret} ${after}`);
        expect(kept).not.toContain(secret.slice(-9));
        expect(kept.length).toBeLessThanOrEqual(80);
        expect(kept).not.toMatch(/\p{Cc}/u);
        expect(kept.isWellFormed()).toBe(true);
      },
    ),
  );
});
