import { expect, test } from 'vitest';
import { chargedParts } from './parts.ts';

test.each([
  ['a'.repeat(160), 1],
  ['a'.repeat(161), 2],
  ['a'.repeat(306), 2],
  ['a'.repeat(307), 3],
  ['€'.repeat(80), 1],
  [`${'a'.repeat(152)}€${'a'.repeat(152)}`, 3],
  ['ĩ'.repeat(70), 1],
  ['ĩ'.repeat(71), 2],
  [`${'a'.repeat(66)}👍${'a'.repeat(66)}`, 3],
])('%s is charged as %d', (text, parts) => {
  expect(chargedParts(text)).toBe(parts);
});
