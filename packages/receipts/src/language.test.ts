import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pickLanguage } from './language.ts';
import { hostileTexts } from './testing/examples.ts';

test.each([
  [undefined, 'en'],
  ['', 'en'],
  ['sw', 'sw'],
  ['sw-KE', 'sw'],
  ['SW-ke, en;q=0.5', 'sw'],
  ['en-GB,en;q=0.9,sw;q=0.8', 'en'],
  ['en;q=0.3, sw;q=0.7', 'sw'],
  ['fr, de;q=0.9', 'en'],
  ['fr, sw;q=0.1', 'sw'],
  ['sw;q=0', 'en'],
  ['en;q=0', 'en'],
  ['en;q=0, *', 'sw'],
  ['*', 'en'],
  ['*;q=0.5, sw;q=0.4', 'en'],
  ['sw, en', 'sw'],
  ['en, sw', 'en'],
  ['sw;q=1.000, en;q=0.999', 'sw'],
  ['sw;q=2, en;q=0.1', 'en'],
  ['sw;q=high, en;q=0.1', 'en'],
  ['swe', 'en'],
  ['sw ; q=0.9 , en ; q=0.8', 'sw'],
])('Accept-Language %j gives %s', (header, language) => {
  expect(pickLanguage(header)).toBe(language);
});

test('any header gives a language', () => {
  fc.assert(fc.property(hostileTexts, (header) => ['en', 'sw'].includes(pickLanguage(header))));
});
