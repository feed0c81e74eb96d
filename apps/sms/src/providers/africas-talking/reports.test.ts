import fc from 'fast-check';
import { anyCharacter } from '@repo/testing/characters';
import { expect, test } from 'vitest';
import { AFRICAS_TALKING_CALLBACKS } from './reports.ts';

const { readReport, readOptOut } = AFRICAS_TALKING_CALLBACKS;

const body = (text: string | Buffer) => Buffer.from(text);

const WHOLE = {
  providerMessageId: 'ATXid_5',
  state: 'failed',
  status: 'Failed',
  reason: 'DeliveryFailure',
  explanation: 'The network did not deliver the message and gave no reason.',
  network: 'Safaricom',
  retryCount: 0,
  phone: '254700000126',
};

const FIELDS = {
  id: 'ATXid_5',
  status: 'Failed',
  phoneNumber: '+254700000126',
  networkCode: '63902',
  failureReason: 'DeliveryFailure',
  retryCount: '0',
};

test('a form is read whatever the order of its fields, and fields that are not known are passed over', () => {
  const pairs: [string, string][] = [...Object.entries(FIELDS), ['surprise', 'x'], ['another', '']];
  fc.assert(
    fc.property(fc.shuffledSubarray(pairs, { minLength: pairs.length }), (shuffled) => {
      const text = new URLSearchParams(shuffled).toString();
      expect(readReport(body(text))).toEqual({ ok: true, value: WHOLE });
    }),
  );
});

test('JSON is read as well, with numbers as numbers, by its bytes alone', () => {
  const text = JSON.stringify({ ...FIELDS, networkCode: 63902, retryCount: 0, nested: { id: 'x' } });
  for (const each of [text, ` \n${text} `, `\uFEFF${text}`]) {
    expect(readReport(body(each))).toEqual({ ok: true, value: WHOLE });
  }
});

test('an id and a status are enough', () => {
  expect(readReport(body('id=ATXid_6&status=Success'))).toEqual({
    ok: true,
    value: {
      providerMessageId: 'ATXid_6',
      state: 'delivered',
      status: 'Success',
      reason: null,
      explanation: null,
      network: null,
      retryCount: null,
      phone: null,
    },
  });
});

test.each(['None', 'none', 'NULL', ''])('the failure reason %j is none', (reason) => {
  expect(readReport(body(`id=1&status=Buffered&failureReason=${reason}`))).toMatchObject({
    value: { reason: null, explanation: null },
  });
});

test('a status and a reason that are not listed are kept', () => {
  expect(readReport(body('id=1&status=Teleported&failureReason=Quantum'))).toMatchObject({
    value: { state: 'unknown', status: 'Teleported', reason: 'Quantum', explanation: null },
  });
});

test('a listed status is given in its spelling', () => {
  expect(readReport(body('id=1&status=SUCCESS'))).toMatchObject({ value: { status: 'Success' } });
});

test.each([
  ['63903', 'Airtel'],
  ['62001', '62001'],
  ['Safaricom', null],
])('the network code %s is read as %s', (code, network) => {
  expect(readReport(body(`id=1&status=Sent&networkCode=${code}`))).toMatchObject({ value: { network } });
});

test('a plus sign that was not encoded, and a masked number', () => {
  const phoneOf = (text: string) => readReport(body(`id=1&status=Sent&phoneNumber=${text}`));
  expect(phoneOf('+254700000126')).toMatchObject({ value: { phone: '254700000126' } });
  expect(phoneOf('2547*****126')).toMatchObject({ value: { phone: null } });
});

test.each([
  ['id=1&id=1&status=Sent', true],
  ['id=1&status=Sent&status=Sent&status=', true],
  ['id=1&id=2&status=Sent', false],
  ['id=1&status=Sent&status=Success', false],
  ['id=1&status=Sent&ID=2', false],
  ['{"id":"1","id":"1","status":"Sent"}', true],
  ['{"id":"1","id":"2","status":"Sent"}', false],
  ['{ "id" : "1" , "status":"Sent", "st\\u0061tus":"Failed" }', false],
  ['{"id":"1","status":"Sent","retryCount":1,"retryCount":2}', true],
])('%s: repeats are fine only where they say the same', (text, ok) => {
  const read = readReport(body(text));
  expect(read.ok).toBe(ok);
  if (!read.ok) expect(read.reason).toBe('field_conflict');
});

test.each([
  ['', 'body_empty'],
  ['  ', 'body_empty'],
  ['hello', 'body_not_fields'],
  ['{"id":', 'body_not_json'],
  ['[]', 'body_not_fields'],
  ['a=1', 'id_missing'],
  ['id=&status=Sent', 'id_missing'],
  ['id=None&status=Sent', 'id_missing'],
  ['id=1', 'status_missing'],
  [`id=${'x'.repeat(256)}&status=Sent`, 'id_invalid'],
  ['id=1%00&status=Sent', 'id_invalid'],
  ['{"id":"\\ud800","status":"Sent"}', 'id_invalid'],
  [`id=1&status=${'x'.repeat(51)}`, 'status_invalid'],
  ['id=1&status=a%00', 'status_invalid'],
  [`id=1&status=Sent${'&a=1'.repeat(100)}`, 'too_many_fields'],
  [`id=1&status=Sent&x=${'x'.repeat(70_000)}`, 'body_too_large'],
  [Buffer.from([0xff, 0xfe, 0x3d]), 'body_not_utf8'],
])('%j cannot be read: %s', (text, reason) => {
  const read = readReport(body(text));
  expect(read).toMatchObject({ ok: false, reason });
  if (!read.ok) expect(read.explanation).toMatch(/^The .*\.$/);
});

test('an id and a status of the greatest length are read whole', () => {
  const id = 'x'.repeat(255);
  const status = 'y'.repeat(50);
  expect(readReport(body(`id=${id}&status=${status}`))).toMatchObject({
    value: { providerMessageId: id, status },
  });
});

test('a long reason is cut, for its report must not be lost', () => {
  expect(readReport(body(`id=1&status=Failed&failureReason=%00${'r'.repeat(500)}`))).toMatchObject({
    value: { reason: `\uFFFD${'r'.repeat(99)}` },
  });
});

test('no bytes make the reader throw, and what it reads can be stored', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each)),
    fc.json().map((text) => Buffer.from(text)),
    fc
      .array(
        fc.tuple(
          fc.constantFrom('id', 'status', 'failureReason', 'networkCode'),
          fc.string({ unit: anyCharacter }),
        ),
      )
      .map((pairs) => Buffer.from(new URLSearchParams(pairs).toString())),
    fc
      .dictionary(fc.constantFrom('id', 'status', 'failureReason', 'retryCount'), fc.jsonValue())
      .map((value) => Buffer.from(JSON.stringify(value))),
  );
  fc.assert(
    fc.property(bytes, (each) => {
      const read = readReport(each);
      if (!read.ok) return;
      const texts = [read.value.providerMessageId, read.value.status, read.value.reason ?? ''];
      expect(texts.every((text) => !text.includes('\0') && text.isWellFormed())).toBe(true);
      expect(read.value.providerMessageId.length).toBeGreaterThan(0);
    }),
    { numRuns: 1_000 },
  );
});

test('JSON and a form of the same fields are read alike', () => {
  const value = fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => text.trim());
  const record = fc.record({
    id: value,
    status: value,
    failureReason: value,
    networkCode: value,
    retryCount: value,
  });
  fc.assert(
    fc.property(record, (each) => {
      const asForm = readReport(body(new URLSearchParams(each).toString()));
      expect(readReport(body(JSON.stringify(each)))).toEqual(asForm);
    }),
  );
});

test('an opt-out names the customer, and the sender if it says so', () => {
  const phone = '254700000008';
  expect(readOptOut(body('senderId=BRAND&phoneNumber=%2B254700000008'))).toEqual({
    ok: true,
    value: { senderId: 'BRAND', phone },
  });
  expect(readOptOut(body(JSON.stringify({ phoneNumber: phone })))).toEqual({
    ok: true,
    value: { senderId: null, phone },
  });
  for (const text of ['senderId=BRAND', 'phoneNumber=nobody', 'phoneNumber=']) {
    expect(readOptOut(body(text))).toMatchObject({ ok: false, reason: 'phone_missing' });
  }
  expect(readOptOut(body('phoneNumber=254700000001&phoneNumber=254700000002'))).toMatchObject({
    ok: false,
    reason: 'field_conflict',
  });
});
