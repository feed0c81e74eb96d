import { createApiKey } from '@repo/db';
import { expect, test } from 'vitest';
import { useTestService } from '../testing.ts';

const service = useTestService();

const PATH = '/templates/transfer_in/sw';
const TEXT = '{reference} imethibitishwa. Umepokea {amount} toka kwa {name}.[ Salio {balance}.]';

test('all texts are listed with their placeholders and how many messages they take', async () => {
  const { status, body } = await service.ask('/templates');
  expect(status).toBe(200);
  expect(body['nextCursor']).toBeNull();
  const items = body['items'] as Record<string, unknown>[];
  expect(items).toHaveLength(18);
  expect(items).toContainEqual({
    key: 'transfer_in',
    language: 'en',
    text: '{reference} confirmed. {amount} received from {name}.[ New balance {balance}.]',
    needed: ['reference', 'amount', 'name'],
    allowed: ['reference', 'amount', 'name', 'wallet', 'balance'],
    preview: {
      text: 'DF-0123456789AB confirmed. KES 9,999,999.99 received from Wamaitha Nyokabi Njoroge. New balance KES 99,999,999.99.',
      parts: 1,
      units: 114,
      encoding: 'GSM-7',
    },
    changedAt: expect.stringMatching(/Z$/) as string,
  });
  expect(items.map(({ preview }) => (preview as { parts: number }).parts)).toEqual(items.map(() => 1));
});

test('a text is tried out without being changed, then changed, and who did it is kept', async () => {
  const tried = await service.ask(`${PATH}/preview`, { method: 'POST', body: { text: TEXT } });
  expect([tried.status, tried.body]).toEqual([
    200,
    {
      text: 'DF-0123456789AB imethibitishwa. Umepokea KES 9,999,999.99 toka kwa Wamaitha Nyokabi Njoroge. Salio KES 99,999,999.99.',
      parts: 1,
      units: 117,
      encoding: 'GSM-7',
    },
  ]);
  expect(await service.query('SELECT 1 FROM services.sms_template_changes')).toEqual([]);
  const { key } = await createApiKey(service.db, { name: 'Support', scopes: ['admin'] });
  const changed = await service.ask(PATH, { method: 'PUT', key, body: { text: TEXT, reason: 'shorter' } });
  expect([changed.status, changed.body['text']]).toEqual([200, TEXT]);
  expect(await service.query('SELECT changed_by, reason, text FROM services.sms_template_changes')).toEqual([
    { changed_by: 'Support', reason: 'shorter', text: TEXT },
  ]);
});

test.each([
  ['an unknown placeholder', '{reference} {amount} {name} {phone}', '{phone}'],
  ['a missing placeholder', '{reference} {amount}', '{name}'],
  ['more than one message', `{reference} {amount} {name} ${'x'.repeat(160)}`, '160'],
  ['another alphabet', '{reference} {amount} {name} \u{1F389}', 'alphabet'],
])('a text with %s is refused, and the answer says what is wrong', async (_what, wrong, said) => {
  const answer = await service.ask(PATH, { method: 'PUT', body: { text: wrong, reason: 'x' } });
  expect([answer.status, answer.body['code']]).toEqual([422, 'invalid_template']);
  expect(JSON.stringify(answer.body)).toContain(said);
  const tried = await service.ask(`${PATH}/preview`, { method: 'POST', body: { text: wrong } });
  expect([tried.status, tried.body['code']]).toEqual([422, 'invalid_template']);
});

test.each([
  '/templates/winner/en',
  '/templates/deposit/fr',
  '/templates/%00/en',
  `/templates/${'x'.repeat(99)}/en`,
])('%s is no text of ours', async (other) => {
  const answer = await service.ask(other, { method: 'PUT', body: { text: TEXT, reason: 'x' } });
  expect([answer.status, answer.body['code']]).toEqual([404, 'unknown_template']);
});

test('only an administrator changes a text, and only with a reason', async () => {
  const { key } = await createApiKey(service.db, { name: 'Reader', scopes: ['read', 'transact'] });
  const asReader = await service.ask(PATH, { method: 'PUT', key, body: { text: TEXT, reason: 'x' } });
  expect(asReader.status).toBe(403);
  const without = await service.ask(PATH, { method: 'PUT', body: { text: TEXT, reason: ' ' } });
  expect(without.status).toBe(422);
});
