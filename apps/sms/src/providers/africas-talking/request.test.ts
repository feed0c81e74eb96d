import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRequests } from './request.ts';

const OPTIONS = { baseUrl: 'https://api.example.org/', username: 'my app', apiKey: 'key' };
const requests = createRequests({ ...OPTIONS, senderId: 'A&B' });

function toNumber(text: string) {
  return { id: 'm1', recipient: { kind: 'number', number: '254700000126' }, text } as const;
}

test('a number goes by the form endpoint, as bulk and with its plus sign', () => {
  const prepared = requests.send(toNumber('Hello'));
  expect(prepared).toMatchObject({ ok: true, request: { method: 'POST', path: '/version1/messaging' } });
  const { headers, body } = prepared.ok ? prepared.request : { headers: [], body: '' };
  expect(Object.fromEntries(new URLSearchParams(body ?? ''))).toEqual({
    username: 'my app',
    to: '+254700000126',
    message: 'Hello',
    from: 'A&B',
    bulkSMSMode: '1',
  });
  expect(headers).toEqual([
    'apiKey',
    'key',
    'accept',
    'application/json',
    'content-type',
    'application/x-www-form-urlencoded',
  ]);
});

test('a hash goes by the JSON endpoint, with its network and no numbers', () => {
  const hash = 'ab'.repeat(32);
  const prepared = requests.send({
    id: 'm1',
    recipient: { kind: 'hash', hash, network: 'Safaricom' },
    text: 'Hi',
  });
  expect(prepared).toMatchObject({ ok: true, request: { path: '/version1/messaging/bulk' } });
  expect(JSON.parse((prepared.ok ? prepared.request.body : null) ?? '')).toEqual({
    username: 'my app',
    message: 'Hi',
    senderId: 'A&B',
    phoneNumbers: [],
    maskedNumber: hash,
    telco: 'Safaricom',
  });
});

test('without a sender id the field is left out', () => {
  const prepared = createRequests(OPTIONS).send(toNumber('Hello'));
  expect(prepared.ok ? prepared.request.body : '').not.toContain('from=');
});

test('the path of the base URL is kept, and the balance is asked of the user', () => {
  const below = createRequests({ ...OPTIONS, baseUrl: 'https://example.org/sms/' });
  expect(below.send(toNumber('Hello'))).toMatchObject({ request: { path: '/sms/version1/messaging' } });
  expect(below.balance).toMatchObject({ method: 'GET', path: '/sms/version1/user?username=my%20app' });
});

test('every text is read from the form as it was written, halves of surrogate pairs as replacements', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 1 }), (units) => {
      const text = String.fromCharCode(...units);
      const prepared = requests.send(toNumber(text));
      const body = new URLSearchParams((prepared.ok ? prepared.request.body : null) ?? '');
      expect(body.get('message')).toBe(text.toWellFormed());
    }),
  );
});
