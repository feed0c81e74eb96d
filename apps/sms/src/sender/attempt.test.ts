import type { ClaimedSms } from '@repo/db';
import { expect, test } from 'vitest';
import type { OutgoingMessage, Provider, SendAnswer } from '../providers/provider.ts';
import { createConsoleProvider } from '../providers/console.ts';
import { attemptSending, settlementOf, verdictOf } from './attempt.ts';

const MESSAGE: ClaimedSms = {
  id: '018f0000-0000-7000-8000-000000000001',
  attempt: 2,
  recipient: '254700000126',
  recipientHash: null,
  message: 'KES 100.00 received.',
  template: 'deposit',
  language: 'en',
  priority: 0,
  transactionReference: null,
  createdAt: new Date(0),
};

const RULES = { backOff: { firstMs: 1_000, longestMs: 600_000 }, maxAttempts: 3 };
const PREPARED = { text: MESSAGE.message, encoding: 'GSM-7', parts: 1, units: 20 } as const;
const FACTS = {
  providerMessageId: 'ATXid_1',
  cost: '1.6000',
  currency: 'KES',
  costText: 'KES 1.6000',
  parts: 2,
  providerStatus: '101 Success',
};
const FAILURE = { code: 'no_route', reason: 'No way.', facts: null } as const;
const RETRY = { kind: 'retry', scope: 'message', ...FAILURE } as const;

function settled(answer: SendAnswer, changes: Partial<ClaimedSms> = {}) {
  return settlementOf({ ...MESSAGE, ...changes }, { prepared: PREPARED, answer }, RULES);
}

test('an acceptance is recorded with what was charged beside what was expected', () => {
  expect(settled({ kind: 'accepted', ...FACTS })).toEqual({
    id: MESSAGE.id,
    attempt: 2,
    outcome: 'accepted',
    providerMessageId: 'ATXid_1',
    cost: '1.6000',
    currency: 'KES',
    parts: 2,
    expectedParts: 1,
    encoding: 'GSM-7',
    message: null,
  });
});

test('a refusal that was charged is recorded with its cost', () => {
  const refused = { kind: 'refused', code: 'blacklisted', reason: 'Opted out.', facts: FACTS } as const;
  expect(settled(refused)).toMatchObject({ outcome: 'refused', errorCode: 'blacklisted', cost: '1.6000' });
});

test('a text that was rewritten is recorded as it was sent', () => {
  const respelt = { ...PREPARED, text: 'KES 100.00 "received".' };
  const settlement = settlementOf(
    MESSAGE,
    { prepared: respelt, answer: { kind: 'accepted', ...FACTS } },
    RULES,
  );
  expect(settlement.message).toBe('KES 100.00 "received".');
});

test('a message that keeps being turned away fails after so many attempts', () => {
  expect(settled(RETRY)).toMatchObject({ outcome: 'retry', errorCode: 'no_route' });
  expect(settled(RETRY, { attempt: 3 })).toMatchObject({
    outcome: 'refused',
    errorCode: 'attempts_exhausted',
    errorMessage: 'It was tried 3 times. No way.',
  });
});

test("the provider's own trouble and ours cost no message its chances", () => {
  const down = { ...RETRY, scope: 'provider', code: 'not_connected' } as const;
  expect(settled(down, { attempt: 3_000 })).toMatchObject({ outcome: 'retry' });
  expect(settled(down, { attempt: 3_000 }).retryAfterMs).toBeLessThanOrEqual(30_000);
  expect(settled(down, { attempt: 30_000 })).toMatchObject({ errorCode: 'attempts_exhausted' });
  expect(settled({ ...RETRY, code: 'cancelled' }, { attempt: 3_000 })).toMatchObject({
    outcome: 'retry',
    retryAfterMs: 0,
  });
});

test('an outcome that is not known is never a retry', () => {
  const unknown = { kind: 'unknown', code: 'timeout', reason: 'No answer.', facts: null } as const;
  const settlement = settled(unknown);
  expect(settlement).toMatchObject({ outcome: 'unknown', errorCode: 'timeout' });
  expect(settlement.retryAfterMs).toBeUndefined();
});

test.each([
  ['an acceptance', { kind: 'accepted', ...FACTS }, 'works'],
  ['a refusal of this number', { kind: 'refused', code: 'blacklisted', reason: '', facts: FACTS }, 'works'],
  ['a message that found no route', RETRY, 'works'],
  ['a provider that is down', { ...RETRY, scope: 'provider' }, 'fails'],
  ['an answer that did not come', { kind: 'unknown', code: 'timeout', reason: '', facts: null }, 'fails'],
  ['a request that was given up by us', { ...RETRY, code: 'cancelled' }, 'nothing'],
  [
    'a request that was given up under way',
    { kind: 'unknown', code: 'abandoned', reason: '', facts: null },
    'nothing',
  ],
  [
    'a refusal without a request',
    { kind: 'refused', code: 'hash_unsupported', reason: '', facts: null },
    'nothing',
  ],
] as const satisfies readonly (readonly [string, SendAnswer, string])[])(
  '%s shows so much about the provider',
  (_what, answer, verdict) => {
    expect(verdictOf(answer)).toBe(verdict);
  },
);

/** The console provider, with a note of what it was given. */
function listeningProvider(changes: Partial<Provider> = {}) {
  const sent: OutgoingMessage[] = [];
  const console = createConsoleProvider({ write: () => undefined });
  const send: Provider['send'] = (outgoing) => {
    sent.push(outgoing);
    return console.send(outgoing);
  };
  return { sent, provider: { ...console, send, ...changes } };
}

const { signal } = new AbortController();
const HASH = 'a'.repeat(64);

test('a hash goes to a provider that takes hashes, as one of Safaricom', async () => {
  const { sent, provider } = listeningProvider();
  const { answer } = await attemptSending(
    provider,
    { ...MESSAGE, recipient: null, recipientHash: HASH },
    signal,
  );
  expect(answer.kind).toBe('accepted');
  expect(sent).toMatchObject([{ recipient: { kind: 'hash', hash: HASH, network: 'Safaricom' } }]);
});

test('a hash is refused at once where the provider takes none, with a reason', async () => {
  const { sent, provider } = listeningProvider({ acceptsHashes: false });
  const { answer } = await attemptSending(
    provider,
    { ...MESSAGE, recipient: null, recipientHash: HASH },
    signal,
  );
  expect(answer).toMatchObject({ kind: 'refused', code: 'hash_unsupported' });
  expect(sent).toEqual([]);
});

test('a text leaves as it was prepared', async () => {
  const { sent, provider } = listeningProvider();
  const attempt = await attemptSending(provider, { ...MESSAGE, message: '\u201cAtieno\u201d' }, signal);
  expect(sent).toMatchObject([{ text: '"Atieno"' }]);
  expect(attempt.prepared).toMatchObject({ text: '"Atieno"', encoding: 'GSM-7' });
});
