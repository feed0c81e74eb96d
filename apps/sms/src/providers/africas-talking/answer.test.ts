import fc from 'fast-check';
import { anyCharacter } from '@repo/testing/characters';
import { expect, test } from 'vitest';
import { readBalance, readSendAnswer } from './answer.ts';
import { AFRICAS_TALKING_CODES } from './codes.ts';

const SENT = { number: '254700000126', text: 'Dear WANJIRU, you have received KES 1,500.00.' };

const RECIPIENT = {
  statusCode: 101,
  number: '+254700000126',
  status: 'Success',
  cost: 'KES 0.8000',
  messageId: 'ATXid_1',
};

interface Shape {
  readonly message?: unknown;
  readonly recipients?: unknown;
  readonly status?: number;
}

function created({ message = 'Sent to 1/1 Total Cost: KES 0.8000', recipients, status = 201 }: Shape) {
  const data = { SMSMessageData: { Message: message, Recipients: recipients } };
  return { status, body: JSON.stringify(data), retryAfter: null };
}

function readOne(fields: Record<string, unknown>, message?: string) {
  return readSendAnswer(created({ recipients: [{ ...RECIPIENT, ...fields }], message }), SENT);
}

test('a sent message comes with its id, cost, currency, parts and status', () => {
  expect(readOne({ messageParts: 2 })).toEqual({
    kind: 'accepted',
    providerMessageId: 'ATXid_1',
    cost: '0.8000',
    currency: 'KES',
    costText: 'KES 0.8000',
    parts: 2,
    providerStatus: '101 Success',
  });
});

test('a cost of nothing has no currency', () => {
  expect(readOne({ cost: '0' })).toMatchObject({ kind: 'accepted', cost: '0.0000', currency: null });
});

test("the total in the message is another sum in another currency and never the message's cost", () => {
  expect(readOne({ cost: undefined }, 'Sent to 1/1 Total Cost: USD 0.0079')).toMatchObject({
    kind: 'accepted',
    cost: null,
    currency: null,
  });
});

test('the parts are read at the end of the message where the recipient has none', () => {
  const message = 'Sent to 1/1 Total Cost: USD 0.0079 Message parts: 3';
  expect(readOne({}, message)).toMatchObject({ parts: 3 });
  expect(readOne({ messageParts: 2 }, message)).toMatchObject({ parts: 2 });
  expect(readOne({ messageParts: '4' })).toMatchObject({ parts: 4 });
  expect(readOne({})).toMatchObject({ parts: null });
  expect(readOne({ messageParts: 0 }, message)).toMatchObject({ parts: null });
  expect(readOne({ messageParts: 1.5 }, message)).toMatchObject({ parts: null });
});

test('the parts in the message are of nobody in particular when there are several recipients', () => {
  const recipients = [RECIPIENT, { ...RECIPIENT, number: '+254700000999' }];
  const message = 'Sent to 2/2 Message parts: 3';
  expect(readSendAnswer(created({ recipients, message }), SENT)).toMatchObject({ parts: null });
});

test.each(AFRICAS_TALKING_CODES)(
  '$code $name is read as a number, as a string and as a word alone',
  (row) => {
    const { code, name, verdict } = row;
    for (const statusCode of [code, String(code)]) {
      expect(readOne({ statusCode, status: name })).toMatchObject(verdict);
    }
    expect(readOne({ statusCode: undefined, status: name })).toMatchObject(verdict);
  },
);

test('a refused recipient has no id, for the provider writes None for all of them', () => {
  const answer = readOne({ statusCode: 406, status: 'UserInBlacklist', cost: '0', messageId: 'None' });
  expect(answer).toMatchObject({
    kind: 'refused',
    code: 'blacklisted',
    facts: { providerMessageId: null, cost: '0.0000', currency: null, providerStatus: '406 UserInBlacklist' },
  });
  expect(answer).toHaveProperty('reason', expect.stringContaining('406 UserInBlacklist'));
});

test('a refused recipient may lack cost and id, or have both', () => {
  expect(
    readOne({ statusCode: 406, status: 'UserInBlacklist', cost: undefined, messageId: undefined }),
  ).toMatchObject({ kind: 'refused', facts: { providerMessageId: null, cost: null } });
  expect(readOne({ statusCode: 403, status: 'InvalidPhoneNumber', messageId: 'def' })).toMatchObject({
    kind: 'refused',
    code: 'invalid_number',
    facts: { providerMessageId: 'def', cost: '0.8000', currency: 'KES' },
  });
});

test('an unknown code keeps its id, by which a delivery report can decide it', () => {
  expect(readOne({ statusCode: 299, status: 'Teleported' })).toMatchObject({
    kind: 'unknown',
    code: 'unknown_status',
    facts: { providerMessageId: 'ATXid_1', providerStatus: '299 Teleported' },
  });
  expect(readOne({ statusCode: 'ok', status: 'Success' })).toMatchObject({ kind: 'unknown' });
});

test.each([
  ['InvalidSenderId', { kind: 'retry', scope: 'provider', code: 'invalid_sender' }],
  ['InsufficientBalance', { kind: 'retry', scope: 'provider', code: 'insufficient_balance' }],
  ['InvalidPhoneNumber', { kind: 'refused', code: 'invalid_number' }],
  ['Sent to 0/1 Total Cost: 0', { kind: 'unknown', code: 'unknown_status' }],
])('201 without recipients and %j', (message, expected) => {
  const answer = readSendAnswer(created({ message, recipients: [] }), SENT);
  expect(answer).toMatchObject({ ...expected, facts: null });
  expect(answer).toHaveProperty('reason', expect.stringContaining(message));
});

test('among several recipients ours is found by its number, and nobody else stands in for it', () => {
  const other = { ...RECIPIENT, number: '+254700000999', messageId: 'ATXid_2', statusCode: 406 };
  expect(readSendAnswer(created({ recipients: [other, RECIPIENT] }), SENT)).toMatchObject({
    kind: 'accepted',
    providerMessageId: 'ATXid_1',
  });
  for (const recipients of [
    [other, other],
    [RECIPIENT, RECIPIENT],
  ]) {
    expect(readSendAnswer(created({ recipients }), SENT)).toMatchObject({
      kind: 'unknown',
      code: 'answer_unreadable',
    });
  }
  const hashed = { ...SENT, number: null };
  expect(readSendAnswer(created({ recipients: [other, RECIPIENT] }), hashed)).toMatchObject({
    kind: 'unknown',
  });
  expect(readSendAnswer(created({ recipients: [RECIPIENT] }), hashed)).toMatchObject({ kind: 'accepted' });
});

test.each([
  [401, 'authentication', 'retry', 'provider'],
  [403, 'authentication', 'retry', 'provider'],
  [404, 'wrong_endpoint', 'retry', 'provider'],
  [405, 'wrong_endpoint', 'retry', 'provider'],
  [302, 'wrong_endpoint', 'retry', 'provider'],
  [429, 'throttled', 'retry', 'provider'],
  [400, 'request_rejected', 'retry', 'message'],
  [422, 'request_rejected', 'retry', 'message'],
  [408, 'server_error', 'unknown', undefined],
  [500, 'server_error', 'unknown', undefined],
  [502, 'server_error', 'unknown', undefined],
  [503, 'server_error', 'unknown', undefined],
  [504, 'server_error', 'unknown', undefined],
])('HTTP %d is %s: %s', (status, code, ...[kind, scope]) => {
  const body = 'The supplied authentication is invalid';
  const answer = readSendAnswer({ status, body, retryAfter: null }, SENT);
  expect(answer).toMatchObject({ kind, code, facts: null });
  expect('scope' in answer ? answer.scope : undefined).toBe(scope);
  expect('reason' in answer ? answer.reason : '').toContain(String(status));
});

test.each([
  ['2', 2_000],
  ['0', 0],
  ['99999999', 3_600_000],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
  ['Fri, 31 Dec 2100 23:59:59 GMT', 3_600_000],
])('Retry-After %s asks for %d ms', (retryAfter, retryAfterMs) => {
  expect(readSendAnswer({ status: 429, body: '', retryAfter }, SENT)).toMatchObject({ retryAfterMs });
});

test.each([null, '', 'soon'])('Retry-After %j asks for nothing in particular', (retryAfter) => {
  expect(readSendAnswer({ status: 429, body: '', retryAfter }, SENT)).not.toHaveProperty('retryAfterMs');
});

test('a complaint that quotes the message is kept without what it quotes', () => {
  const body = `Bad value "${SENT.text}" for +${SENT.number}`;
  const answer = readSendAnswer({ status: 400, body, retryAfter: null }, SENT);
  const reason = 'reason' in answer ? answer.reason : '';
  expect(reason).toContain('HTTP 400 Bad value');
  expect(reason).not.toMatch(/WANJIRU|1,500|254700/);
});

test.each([
  '',
  'OK',
  '{}',
  'null',
  '[]',
  '{"SMSMessageData":null}',
  '{"SMSMessageData":{"Recipients":{}}}',
  '<x/>',
])('201 with %j cannot be read, so the message may have been sent', (body) => {
  expect(readSendAnswer({ status: 201, body, retryAfter: null }, SENT)).toMatchObject({
    kind: 'unknown',
    code: 'answer_unreadable',
  });
});

test.each(['', ' ', 'None', 'none', 'null', 'x'.repeat(256), 'a\0b', 7.5])('%j as an id', (messageId) => {
  const id = typeof messageId === 'number' ? String(messageId) : null;
  expect(readOne({ messageId })).toMatchObject({ kind: 'accepted', providerMessageId: id });
});

test('a code beside a word that is a number is kept', () => {
  const body = JSON.stringify({
    SMSMessageData: { Message: '', Recipients: [{ statusCode: 101, status: 101 }] },
  });
  expect(readSendAnswer({ status: 201, body, retryAfter: null }, SENT)).toMatchObject({
    kind: 'accepted',
    providerStatus: '101 101',
  });
});

test('nothing that is sent makes the reader throw, and nothing but an accepted code accepts', () => {
  const field = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(101, '101', 'Success', 'KES 0.8000', '+254700000126'),
  );
  const anyRecipient = fc.oneof(
    fc.jsonValue(),
    fc.record(
      { statusCode: field, number: field, status: field, cost: field, messageId: field, messageParts: field },
      { requiredKeys: [] },
    ),
  );
  const anyBody = fc.oneof(
    fc.string({ unit: anyCharacter }),
    fc.json(),
    fc
      .record({ message: fc.jsonValue(), recipients: fc.oneof(fc.jsonValue(), fc.array(anyRecipient)) })
      .map((shape) => created(shape).body),
  );
  fc.assert(
    fc.property(anyBody, fc.integer({ min: 100, max: 599 }), (body, status) => {
      const answer = readSendAnswer({ status, body, retryAfter: null }, SENT);
      expect(['accepted', 'refused', 'retry', 'unknown']).toContain(answer.kind);
      if (answer.kind !== 'accepted') return;
      expect(answer.providerStatus).toMatch(/^(10[012]\b|success|sent|queued|processed)/i);
      expect(status >= 200 && status <= 299).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

test('a balance has a sum and a currency', () => {
  const read = (balance: unknown, status = 200) =>
    readBalance({ status, body: JSON.stringify({ UserData: { balance } }), retryAfter: null });
  expect(read('KES 1785.50')).toEqual({ amount: '1785.50', currency: 'KES' });
  expect(read('USD 999,999,589.6168')).toEqual({ amount: '999999589.6168', currency: 'USD' });
  expect(read('KES -12.00')).toEqual({ amount: '-12.00', currency: 'KES' });
  for (const balance of [null, 5, '', '1785.50', 'KES', 'KES abc']) expect(read(balance)).toBeNull();
  expect(read('KES 1785.50', 401)).toBeNull();
});
