import { verificationHash } from '@repo/db';
import { expect, test } from 'vitest';
import { makeOld, openCustomer, posting, startTestService, useTestService } from '../testing.ts';
import type { TestService } from '../testing.ts';

const service = useTestService();

async function pay(of: TestService) {
  const from = await openCustomer(of.db, '100.00', 'Wanjiku Kamau');
  const to = await openCustomer(of.db, '0.00', 'Otieno Odhiambo');
  const { body } = await of.ask('/transfers', posting({ from, to, amount: '60.00', narrative: 'Rent' }));
  return { from, to, reference: String(body['reference']), hash: String(body['verificationHash']) };
}

const AS_JSON = { key: null, headers: { accept: 'application/json' } };
const AS_PAGE = { key: null, headers: { accept: 'text/html' } };

test('a genuine receipt is confirmed to anybody, with masked facts only', async () => {
  const { from, to, reference, hash } = await pay(service);
  const verdict = await service.ask(`/verify/${reference}/${hash}`, AS_JSON);
  expect(verdict.status).toBe(200);
  expect(verdict.body).toMatchObject({
    genuine: true,
    reference,
    amount: '60.00',
    from: { number: `******${from.slice(-4)}`, name: 'W***** K****' },
    reversedAmount: null,
  });
  const page = await (await service.fetch(`/verify/${reference}/${hash}`, AS_PAGE)).text();
  for (const text of [JSON.stringify(verdict.body), page]) {
    // What it was for is on the receipt, so that a change of it there can be found out.
    expect(text).toContain('Rent');
    for (const secret of [from, to, 'Wanjiku', 'Otieno', '254700']) expect(text).not.toContain(secret);
  }
});

test('a reference in small letters, or a hash in capitals, is the same receipt', async () => {
  const { reference, hash } = await pay(service);
  const path = `/verify/${reference.toLowerCase()}/${hash.toUpperCase()}`;
  expect((await service.ask(path, AS_JSON)).body['genuine']).toBe(true);
});

test('once money went back the verdict says how much', async () => {
  const { reference, hash } = await pay(service);
  await service.ask(`/transactions/${reference}/reversal`, posting({ amount: '0.05' }));
  const verdict = await service.ask(`/verify/${reference}/${hash}`, AS_JSON);
  expect(verdict.body).toMatchObject({ genuine: true, reversedAmount: '0.05' });
});

test.each([
  ['JSON', AS_JSON],
  ['a page', AS_PAGE],
])('as %s a wrong hash and an unknown reference get the very same answer', async (_form, request) => {
  const { reference, hash } = await pay(service);
  const unknown = 'DF-000000000000';
  const ofUnknown = verificationHash({ reference: unknown, amount: '60.00', createdAt: new Date() });
  const wrong = `${hash.slice(0, -1)}${hash.endsWith('0') ? '1' : '0'}`;
  const paths = [
    `/verify/${reference}/${wrong}`,
    `/verify/${reference}/${hash.slice(0, -1)}`,
    `/verify/${reference}/${'a'.repeat(5_000)}`,
    `/verify/${reference}/%00`,
    `/verify/${unknown}/${hash}`,
    `/verify/${unknown}/${ofUnknown}`,
    `/verify/%00/${hash}`,
    `/verify/${'9'.repeat(300)}/${hash}`,
  ];
  const answers = await Promise.all(
    paths.map(async (path) => {
      const response = await service.fetch(path, request);
      const headers = [...response.headers].filter(([name]) => name !== 'date' && name !== 'x-request-id');
      return { status: response.status, headers, body: await response.text() };
    }),
  );
  const [first, ...others] = answers;
  expect(first?.status).toBe(200);
  for (const other of others) expect(other).toEqual(first);
});

test('a row that was changed after its hash was written is no longer genuine, and the log says so', async () => {
  const { reference, hash } = await pay(service);
  await service.query(`
    ALTER TABLE core.transactions DISABLE TRIGGER USER;
    UPDATE core.transactions SET amount = 6000.00 WHERE reference = '${reference}'`);
  expect((await service.ask(`/verify/${reference}/${hash}`, AS_JSON)).body).toEqual({ genuine: false });
  expect(service.lines.join('')).toContain('does not agree with its verification hash');
});

test.each([
  ['another currency', "currency = 'USD'"],
  ['a time after the year 9999', "created_at = '10000-01-01'"],
  ['a time that no date holds', "created_at = 'infinity'"],
  ['an amount that is no number', "amount = 'NaN'"],
])('a row with %s is answered like an unknown reference, and the log says so', async (_what, change) => {
  const { reference, hash } = await pay(service);
  await service.query(`
    ALTER TABLE core.transactions DISABLE TRIGGER USER;
    UPDATE core.transactions SET ${change} WHERE reference = '${reference}'`);
  const wrong = '0'.repeat(64);
  for (const request of [AS_JSON, AS_PAGE]) {
    const unknown = await service.fetch(`/verify/DF-000000000000/${wrong}`, request);
    const page = await unknown.text();
    for (const presented of [wrong, hash]) {
      const answer = await service.fetch(`/verify/${reference}/${presented}`, request);
      expect([answer.status, await answer.text()]).toEqual([200, page]);
    }
  }
  expect(service.lines.join('')).toContain('does not agree with its verification hash');
});

test('a transaction without a hash has no genuine receipt, whatever is presented', async () => {
  const { reference } = await pay(service);
  await service.query(`
    ALTER TABLE core.transactions DISABLE TRIGGER USER;
    UPDATE core.transactions SET verification_hash = NULL WHERE reference = '${reference}'`);
  for (const hash of ['null', '', '%20']) {
    const response = await service.fetch(`/verify/${reference}/${hash}`, AS_JSON);
    expect(await response.text()).not.toContain('"genuine":true');
  }
});

test('the page comes in the language of the reader, runs nothing, is small, and stands in nobody’s frame', async () => {
  const { reference, hash } = await pay(service);
  for (const path of [`/verify/${reference}/${hash}`, `/verify/${reference}/0`]) {
    for (const [header, lang] of [
      ['sw-KE,sw;q=0.9,en;q=0.5', 'sw'],
      ['en-GB', 'en'],
      ['fr', 'en'],
    ]) {
      const response = await service.fetch(path, { key: null, headers: { 'accept-language': header ?? '' } });
      const page = await response.text();
      // No type was asked for: the reader is a person.
      expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(response.headers.get('vary')).toBe('accept, accept-language');
      expect(response.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(page).toContain(`<html lang="${lang ?? ''}">`);
      expect(page).not.toContain('<script');
      expect(Buffer.byteLength(page)).toBeLessThan(30 * 1024);
    }
  }
});

test('the language that the link asks for comes before that of the reader, and a wrong one keeps nobody out', async () => {
  await using own = await startTestService({ issuer: { name: 'Mwananchi Sacco', contact: null } });
  const { reference, hash } = await pay(own);
  for (const path of [`/verify/${reference}/${hash}`, `/verify/${reference}/0`]) {
    for (const [query, lang] of [
      ['?lang=sw', 'sw'],
      ['?lang=en', 'en'],
      ['?lang=fr', 'en'],
      ['?lang=sw&lang=en', 'en'],
      ['?utm_source=sms', 'en'],
    ]) {
      const response = await own.fetch(`${path}${query ?? ''}`, AS_PAGE);
      const page = await response.text();
      expect([response.status, page.includes(`<html lang="${lang ?? ''}">`)]).toEqual([200, true]);
      expect(page).toContain('Mwananchi Sacco');
      expect(page).toContain(`href="?lang=${lang === 'sw' ? 'en' : 'sw'}"`);
    }
  }
});

test('an unknown form is refused', async () => {
  const answer = await service.ask('/verify/DF-000000000000/0', {
    key: null,
    headers: { accept: 'image/png' },
  });
  expect([answer.status, answer.body['code']]).toEqual([406, 'not_acceptable']);
});

test('the verdicts are counted, and neither reference nor hash is in the log', async () => {
  await using own = await startTestService();
  const { reference, hash } = await pay(own);
  await own.fetch(`/verify/${reference}/${hash}`, AS_PAGE);
  await own.fetch(`/verify/${reference}/0`, AS_PAGE);
  const metrics = await (await own.fetch('/metrics')).text();
  expect(metrics).toContain('wallet_verifications_total{verdict="genuine",service="wallet"} 1');
  expect(metrics).toContain('wallet_verifications_total{verdict="not_genuine",service="wallet"} 1');
  expect(own.lines.join('')).not.toContain(hash);
  expect(own.lines.join('')).not.toContain(reference);
});

test.each(['txn-0001', 'Inv.2023.1', 'receipt.html', '.json', ' x ', 'a/b'])(
  'the old reference %s is confirmed as it stands',
  async (old) => {
    const { reference } = await pay(service);
    const hash = await makeOld(service, reference, old);
    const path = `/verify/${encodeURIComponent(old)}`;
    expect((await service.ask(`${path}/${hash}`, AS_JSON)).body).toMatchObject({
      genuine: true,
      reference: old,
    });
    expect((await service.ask(`${path}/${'0'.repeat(64)}`, AS_JSON)).body).toEqual({ genuine: false });
  },
);
