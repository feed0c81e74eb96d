import { createApiKey, queueSms } from '@repo/db';
import { expect, test } from 'vitest';
import { newNumber, startTestService, useTestService } from '../testing.ts';
import type { TestService } from '../testing.ts';

const service = useTestService();

async function queue(of: TestService, recipient: string, reference: string) {
  const { id } = await queueSms(of.db, {
    recipient,
    message: '=Umepokea, KES 10.00',
    template: 'deposit',
    transactionReference: reference,
  });
  return id;
}

test('an administrator sees the messages to a number with number and text', async () => {
  const phone = newNumber();
  const id = await queue(service, phone, 'QKJ41HARMI');
  await queue(service, newNumber(), 'QKJ41HARMJ');
  const { status, body } = await service.ask(`/messages?phone=%2B${phone}`);
  expect([status, body['nextCursor']]).toEqual([200, null]);
  const message = '=Umepokea, KES 10.00';
  expect(body['items']).toMatchObject([
    { id, recipient: phone, message, status: 'pending', transactionReference: 'QKJ41HARMI' },
  ]);
  expect(service.lines.join('')).not.toContain(phone);
});

test('a key that may only read finds by reference, with the number masked and no text, and not by number', async () => {
  await using own = await startTestService();
  const phone = newNumber();
  await queue(own, phone, 'QKJ41HARMI');
  const { key } = await createApiKey(own.db, { name: 'Reader', scopes: ['read'] });
  const answer = await own.ask('/messages?reference=qkj41harmi', { key });
  expect(answer.body['items']).toMatchObject([{ transactionReference: 'QKJ41HARMI' }]);
  expect(JSON.stringify(answer.body)).not.toMatch(new RegExp(`${phone}|Umepokea`));
  for (const query of [`phone=${phone}`, 'status=unknown']) {
    const refused = await own.ask(`/messages?${query}`, { key });
    expect([refused.status, refused.body['code']]).toEqual([403, 'forbidden']);
  }
});

test('as CSV with the same filter, page by page', async () => {
  const phone = newNumber();
  const ids = [await queue(service, phone, 'R1'), await queue(service, phone, 'R2')];
  const csv = { headers: { accept: 'text/csv' } };
  const first = await service.fetch(`/messages?phone=${phone}&limit=1`, csv);
  expect(first.headers.get('content-type')).toBe('text/csv; charset=utf-8');
  const [head, row] = (await first.text()).split('\r\n');
  expect(head).toMatch(/^id,createdAt,recipient,template,/);
  expect(row).toMatch(
    new RegExp(`^${ids[1] ?? ''},.*,${phone},deposit,en,R2,pending,.*"'=Umepokea, KES 10.00"$`),
  );
  const [, next = ''] = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '') ?? [];
  const second = await service.fetch(next, csv);
  expect(await second.text()).toContain(ids[0] ?? 'none');
  expect(second.headers.get('link')).toBeNull();
});

test.each([
  '',
  'phone=',
  'phone=0700000001&reference=R1',
  'status=unknown&reference=R1',
  'status=sent',
  'reference=R&cursor=x',
])('?%s is refused', async (query) => {
  expect((await service.ask(`/messages?${query}`)).status).toBe(422);
});

test('another form is refused', async () => {
  const answer = await service.ask('/messages?reference=R', { headers: { accept: 'application/pdf' } });
  expect([answer.status, answer.body['code']]).toEqual([406, 'not_acceptable']);
});
