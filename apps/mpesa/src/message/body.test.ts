import { expect, test } from 'vitest';
import { findReceiptText, keyOf, memberOf, readJsonBody } from './body.ts';
import { unreadable } from './reasons.ts';

const nested = (depth: number) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;

test.each([
  ['nothing', '', 'body_empty'],
  ['white space', ' \r\n', 'body_empty'],
  ['a byte order mark alone', '\uFEFF', 'body_empty'],
  ['a form', 'TransID=UH4SP1L7W6&TransAmount=10', 'body_not_json'],
  ['a cut message', '{"TransID":"UH4SP1L7W6","Tr', 'body_not_json'],
  ['two messages', '{}{}', 'body_not_json'],
  ['NUL outside a string', '{}\0', 'body_not_json'],
  ['a string', '"UH4SP1L7W6"', 'body_not_object'],
  ['a list', '[{}]', 'body_not_object'],
  ['null', 'null', 'body_not_object'],
  ['deep nesting', nested(40), 'body_too_deep'],
  ['nesting that would exhaust the stack', nested(30_000), 'body_too_deep'],
  ['brackets that are never closed', '['.repeat(60_000), 'body_too_deep'],
] as const)('%s is refused', (_what, text, reason) => {
  expect(readJsonBody(Buffer.from(text))).toEqual(unreadable(reason));
});

test.each([[[0xff, 0xfe]], [[0x22, 0xc3, 0x28, 0x22]], [[0xed, 0xa0, 0x80]]])(
  'the bytes %j are not UTF-8',
  (bytes) => {
    expect(readJsonBody(Buffer.from(bytes))).toEqual(unreadable('body_not_utf8'));
  },
);

test('many brackets in strings or side by side are not depth', () => {
  expect(
    readJsonBody(
      Buffer.from(JSON.stringify({ a: '[{'.repeat(100), b: Array.from({ length: 100 }, () => []) })),
    ),
  ).toMatchObject({ ok: true });
});

test('a byte order mark is tolerated', () => {
  expect(readJsonBody(Buffer.from('\uFEFF{"a":1}'))).toEqual({
    ok: true,
    value: { text: '{"a":1}', object: { a: 1 }, hadByteOrderMark: true },
  });
});

test('the receipt is found in a text that is not JSON, unless it names two', () => {
  expect(findReceiptText(Buffer.from('{"TransID" : "UH4SP1L7W6" "x'))).toBe('UH4SP1L7W6');
  expect(findReceiptText(Buffer.from('{"TransID":"A1"}{"TransID":"B2"}'))).toBeNull();
  expect(findReceiptText(Buffer.from('TransID=UH4SP1L7W6'))).toBeNull();
  expect(findReceiptText(Buffer.from(JSON.stringify('{"TransID":"UH4SP1L7W6"}')))).toBe('UH4SP1L7W6');
});

test('a field is found by its name in any case, exactly written first, and not where two could be meant', () => {
  expect(keyOf({ transid: 1, TransID: 2 }, 'TransID')).toBe('TransID');
  expect(keyOf({ Other: 0, TransId: 1 }, 'TransID')).toBe('TransId');
  expect(keyOf({ transid: 1, TRANSID: 1 }, 'TransID')).toBeUndefined();
  expect(keyOf({ TransIDs: 1 }, 'TransID')).toBeUndefined();
  expect(keyOf({}, 'toString')).toBeUndefined();
  expect(memberOf({ body: { a: 1 } }, 'Body')).toEqual({ a: 1 });
  expect(memberOf([1], 'length')).toBeUndefined();
  expect(memberOf(null, 'Body')).toBeUndefined();
});
