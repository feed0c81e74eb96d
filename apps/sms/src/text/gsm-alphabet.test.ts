import { expect, test } from 'vitest';
import { BASIC_CHARACTERS, countExtensions, EXTENSION_CHARACTERS, isGsmText } from './gsm-alphabet.ts';

test('the default alphabet has 127 characters and the escape, the extension table nine and the page break', () => {
  expect(new Set(BASIC_CHARACTERS).size).toBe(127);
  expect(BASIC_CHARACTERS.length).toBe(127);
  expect(new Set(EXTENSION_CHARACTERS)).toEqual(new Set('^{}[]~\\|€\f'));
});

test('every character of the two tables is text of GSM-7, and only the extensions count as such', () => {
  expect(isGsmText(BASIC_CHARACTERS + EXTENSION_CHARACTERS)).toBe(true);
  expect(countExtensions(BASIC_CHARACTERS)).toBe(0);
  expect(countExtensions(EXTENSION_CHARACTERS)).toBe(10);
});

test.each(['’', '–', 'ç', 'ĩ', '`', '\t', '\u001B', '\0', '\u00A0', 'α', '👍', '\uD800'])(
  '%j is no text of GSM-7',
  (character) => {
    expect(isGsmText(`a${character}`)).toBe(false);
  },
);

test('a text of several lines is judged whole', () => {
  expect(isGsmText('one\ntwo\r\n')).toBe(true);
  expect(isGsmText('one\n“two”')).toBe(false);
});
