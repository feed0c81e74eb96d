import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hasConflictingKey } from './duplicate-keys.ts';

const KEYS = ['TransAmount', 'TransID'];

test.each([
  ['{"TransAmount":"10","TransAmount":"20"}', true],
  ['{"TransAmount":"10","TransAmount":"10"}', false],
  ['{"TransAmount":10,"TransAmount":10.0}', true],
  ['{"TransAmount":"10","TransAmount":10}', true],
  ['{"TransAmount":"10","Trans\\u0041mount":"20"}', true],
  ['{"TransAmount":"10","TransAmount":"1\\u0030"}', false],
  ['{"TransAmount":"10","x":{"TransAmount":"20"}}', false],
  ['{"TransAmount":"10","x":"\\"TransAmount\\":\\"20\\""}', false],
  ['{"TransAmount":"10","TransAmount":"20","x":{}}', true],
  ['{"TransAmount" :"10","TransAmount" :"20"}', true],
  ['{"Other":"10","Other":"20"}', false],
  ['{"TransID":"A:B"}', false],
  ['{}', false],
])('%s: %s', (text, conflicting) => {
  expect(hasConflictingKey(parsed(text), KEYS)).toBe(conflicting);
});

function parsed(text: string) {
  return { text, object: JSON.parse(text) as Record<string, unknown> };
}

/** A JSON string with some of its characters written as escapes that mean the same. */
function writeString(text: string, escapes: readonly boolean[]): string {
  const written = text.split('').map((unit, at) => {
    const escape = `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
    return escapes[at % escapes.length] === true ? escape : JSON.stringify(unit).slice(1, -1);
  });
  return `"${written.join('')}"`;
}

const member = fc.record({
  key: fc.oneof(fc.constantFrom('TransAmount', 'TransID', 'Other'), fc.string()),
  value: fc.oneof(fc.constantFrom('10', '"10"', '"20"', '{"TransAmount":"30"}', '["\\\\\\"{"]'), fc.json()),
  escapes: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
  space: fc.string({ unit: fc.constantFrom(' ', '\n', '\t', '\r'), maxLength: 2 }),
});

test('it agrees with a plain look at the members from which the text was written', () => {
  fc.assert(
    fc.property(fc.array(member), (members) => {
      const written = members.map(({ key, value, escapes, space }) => {
        return `${space}${writeString(key, escapes)}${space}:${space}${value}${space}`;
      });
      const text = ` {${written.join(',')}} `;
      const conflicting = KEYS.some((key) => {
        const values = members.filter((each) => each.key === key).map((each) => each.value);
        return new Set(values.map((value) => JSON.stringify(JSON.parse(value)))).size > 1;
      });
      expect(hasConflictingKey(parsed(text), KEYS)).toBe(conflicting);
    }),
    { numRuns: 500 },
  );
});
