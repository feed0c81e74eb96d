import fc from 'fast-check';
import { anyCharacter } from '@repo/testing/characters';
import { expect, test } from 'vitest';
import { jsonMembers } from './json-members.ts';

const repeatsIn = (text: string) =>
  [...jsonMembers(text)].filter(({ isRepeat }) => isRepeat).map(({ key }) => key);

test.each([
  ['{"a":1,"a":1}', 'a'],
  ['{"a":1,"\\u0061":2}', 'a'],
  ['{"a":{"b":[{"c":1,"c":2}]}}', 'c'],
  ['[[{"__proto__":1,"__proto__":2}]]', '__proto__'],
  ['{"":1,"b":"}","":2}', ''],
  ['{"a\\"":1 , "x" : "\\"a" , "a\\u0022" :\n[2] }', 'a"'],
])('in %s a member is repeated', (text, key) => {
  expect(repeatsIn(text)).toEqual([key]);
});

test.each([
  '{"a":{"a":{"a":1}},"b":{"a":2}}',
  '[{"a":1},{"a":2}]',
  '{"a":"a","b":"\\"a\\":","c":["a","a"]}',
  '"a"',
  '[1,2]',
  'null',
])('in %s none is', (text) => {
  expect(repeatsIn(text)).toEqual([]);
});

test('each member is reported with its depth and its value', () => {
  expect([...jsonMembers('{"a": {"b": [1, {"c": "}"}]} , "d": -1e3}')]).toMatchObject([
    { key: 'c', depth: 4, value: '"}"' },
    { key: 'b', depth: 2, value: '[1, {"c": "}"}]' },
    { key: 'a', depth: 1 },
    { key: 'd', depth: 1, value: '-1e3' },
  ]);
});

test('what was written from an object has its members, each with its own value, and no repeats', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
      const members = [...jsonMembers(JSON.stringify(object, null, 1))].filter(({ depth }) => depth === 1);
      expect(members.map(({ key, value }): [string, unknown] => [key, JSON.parse(value)])).toEqual(
        Object.entries(JSON.parse(JSON.stringify(object)) as object),
      );
      expect(repeatsIn(JSON.stringify(object))).toEqual([]);
    }),
  );
});

test('a text with a member put in a second time, anywhere, has a repeat', () => {
  const inner = fc.dictionary(fc.string({ unit: anyCharacter }), fc.jsonValue(), { minKeys: 1 });
  fc.assert(
    fc.property(inner, fc.jsonValue(), fc.nat(), (object, value, at) => {
      const keys = Object.keys(object);
      const key = keys[at % keys.length] ?? '';
      const escaped = `"${[...Array(key.length).keys()].map((index) => `\\u${key.charCodeAt(index).toString(16).padStart(4, '0')}`).join('')}"`;
      const text = `${JSON.stringify(object).slice(0, -1)},${escaped}:${JSON.stringify(value)}}`;
      expect(repeatsIn(`{"outer":[null,${text}]}`)).toContain(key);
    }),
  );
});

test('a text that is nested as deeply as a body can be is read', () => {
  expect(repeatsIn(`${'['.repeat(30_000)}{"a":1,"a":2}${']'.repeat(30_000)}`)).toEqual(['a']);
});
