import { openWallet, setFeeRule, verificationHash } from '@repo/db';
import { readPublicJwks, verifySignedReceipt } from '@repo/receipts';
import { expect, test } from 'vitest';
import { deposit, makeOld, openCustomer, posting, startTestService, useTestService } from '../testing.ts';
import type { TestService } from '../testing.ts';

const service = useTestService();

async function pay(of: TestService) {
  const from = await openCustomer(of.db, '100.00', 'Wanjiku Kamau');
  const to = await openCustomer(of.db, '0.00', 'Otieno Odhiambo');
  const { body } = await of.ask('/transfers', posting({ from, to, amount: '60.00' }));
  const { reference, verificationHash: hash, createdAt } = body as Record<string, string>;
  return { from, to, reference: String(reference), hash: String(hash), createdAt: String(createdAt) };
}

test('a receipt as JSON has the masked facts, the way to check them, and a signature that anybody can check', async () => {
  await using own = await startTestService({ publicUrl: 'https://pay.example/wallet' });
  const { reference, hash, createdAt, from, to } = await pay(own);
  const answer = await own.ask(`/receipts/${reference}`);
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({
    reference,
    type: 'transfer',
    amount: '60.00',
    currency: 'KES',
    createdAt,
    verificationHash: verificationHash({ reference, amount: '60.00', createdAt: new Date(createdAt) }),
    from: { kind: 'customer', number: `******${from.slice(-4)}`, name: 'W***** K****' },
    to: { kind: 'customer', number: `******${to.slice(-4)}`, name: 'O***** O*****' },
    paidAt: null,
    fee: null,
    narrative: null,
    issuer: null,
    verifyUrl: `https://pay.example/wallet/verify/${reference}/${hash}`,
    jws: expect.any(String) as string,
  });

  const response = await own.fetch('/.well-known/jwks.json', { key: null });
  expect(response.headers.get('cache-control')).toBe('public, max-age=300');
  const jwks = await readPublicJwks(await response.text());
  expect(await verifySignedReceipt(jwks, String(answer.body['jws']))).toMatchObject({ genuine: true });
});

test('the published keys have no private part', async () => {
  const { body } = await service.ask('/.well-known/jwks.json', { key: null });
  const [key] = body['keys'] as Record<string, unknown>[];
  expect(Object.keys(key ?? {}).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
});

test('without PUBLIC_URL the link leads to the service where it listens, and the page says genuine', async () => {
  const { reference } = await pay(service);
  const { body } = await service.ask(`/receipts/${reference}`);
  const link = String(body['verifyUrl']);
  expect(link.startsWith(service.url)).toBe(true);
  const verdict = await fetch(link, { headers: { accept: 'application/json' } });
  expect(await verdict.json()).toMatchObject({ genuine: true, reference });
});

test.each([
  ['', 'application/json', 'application/json'],
  ['', '*/*', 'application/json'],
  ['', 'text/html,application/xhtml+xml,*/*;q=0.8', 'text/html'],
  ['', 'application/pdf', 'application/pdf'],
  ['', 'application/pdf;q=0.5,text/html;q=0.9', 'text/html'],
  ['.json', 'application/pdf', 'application/json'],
  ['.html', 'application/json', 'text/html'],
  ['.pdf', 'text/html', 'application/pdf'],
  ['.PDF', '*/*', 'application/pdf'],
])('%s with Accept: %s is answered as %s', async (extension, accept, type) => {
  const { reference } = await pay(service);
  const response = await service.fetch(`/receipts/${reference}${extension}`, { headers: { accept } });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(new RegExp(`^${type}`));
  expect(response.headers.get('vary')).toBe('accept, accept-language');
  const bytes = Buffer.from(await response.arrayBuffer());
  const begins = { 'application/json': '{"', 'text/html': '<!doctype html>', 'application/pdf': '%PDF-' }[
    type
  ];
  expect(bytes.subarray(0, begins?.length).toString('latin1')).toBe(begins);
});

test('the page and the PDF follow the paper and the language, and the page may stand in nobody’s frame', async () => {
  const { reference } = await pay(service);
  const page = await service.fetch(`/receipts/${reference}.html`);
  expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
  const english = await page.text();
  const swahili = await (await service.fetch(`/receipts/${reference}.html?lang=sw`)).text();
  const roll = await (await service.fetch(`/receipts/${reference}.html?paper=roll`)).text();
  expect(english).toContain('<html lang="en">');
  expect(swahili).toContain('<html lang="sw">');
  expect(roll).toContain('80mm');
  expect(english).not.toContain('80mm');
  const bytesOn = async (paper: string) =>
    Buffer.from(await (await service.fetch(`/receipts/${reference}.pdf?paper=${paper}`)).arrayBuffer());
  expect((await bytesOn('a4')).equals(await bytesOn('roll'))).toBe(false);
});

test('an unknown receipt, form or paper is refused as a problem', async () => {
  const { reference } = await pay(service);
  const codeOf = async (path: string, headers: Record<string, string> = {}) => {
    const answer = await service.ask(path, { headers });
    return [answer.status, answer.body['code']];
  };
  expect(await codeOf('/receipts/DF-000000000000')).toEqual([404, 'unknown_transaction']);
  expect(await codeOf('/receipts/DF-000000000000.pdf')).toEqual([404, 'unknown_transaction']);
  expect(await codeOf(`/receipts/${reference}.docx`)).toEqual([404, 'unknown_transaction']);
  expect(await codeOf(`/receipts/${reference}`, { accept: 'image/png' })).toEqual([406, 'not_acceptable']);
  expect(await codeOf(`/receipts/${reference}?paper=a5`)).toEqual([422, 'invalid_request']);
  expect(await codeOf(`/receipts/${reference}?size=a4`)).toEqual([422, 'invalid_request']);
});

test('a transaction without a hash has no receipt yet, and one that was changed gets none', async () => {
  const [old, changed] = [await pay(service), await pay(service)];
  await service.query(`
    ALTER TABLE core.transactions DISABLE TRIGGER USER;
    UPDATE core.transactions SET verification_hash = NULL WHERE reference = '${old.reference}';
    UPDATE core.transactions SET amount = 6000.00 WHERE reference = '${changed.reference}'`);
  const missing = await service.ask(`/receipts/${old.reference}`);
  expect([missing.status, missing.body['code']]).toEqual([409, 'receipt_not_ready']);
  const altered = await service.ask(`/receipts/${changed.reference}`);
  expect([altered.status, altered.body['code']]).toEqual([500, 'transaction_altered']);
  expect(service.lines.join('')).toContain('does not agree with its verification hash');
});

test.each([
  ['another currency', "currency = 'USD'"],
  ['a time after the year 9999', "created_at = '10000-01-01'"],
  ['a time that no date holds', "created_at = 'infinity'"],
])(
  'a transaction with %s gets no receipt, as one that was changed, and the log says so',
  async (_what, change) => {
    const { reference } = await pay(service);
    await service.query(`
    ALTER TABLE core.transactions DISABLE TRIGGER USER;
    UPDATE core.transactions SET ${change} WHERE reference = '${reference}'`);
    const altered = await service.ask(`/receipts/${reference}`);
    expect([altered.status, altered.body['code']]).toEqual([500, 'transaction_altered']);
    expect(service.lines.join('')).toContain('does not agree with its verification hash');
  },
);

test.each(['txn-0001', 'Inv.2023.1', 'REF.PDF', 'receipt.html', '.json', ' x ', 'a/b'])(
  'the receipt of the old reference %s is in the form that Accept asks for, or an extension behind it',
  async (old) => {
    const { reference } = await pay(service);
    await makeOld(service, reference, old);
    const path = `/receipts/${encodeURIComponent(old)}`;
    const typeOf = async (extension: string, accept: string) => {
      const response = await service.fetch(`${path}${extension}`, { headers: { accept } });
      return response.headers.get('content-type')?.split(';')[0];
    };
    expect((await service.ask(path)).body['reference']).toBe(old);
    expect(await typeOf('', 'application/json')).toBe('application/json');
    expect(await typeOf('', 'text/html')).toBe('text/html');
    expect(await typeOf('.html', 'application/json')).toBe('text/html');
    expect(await typeOf('.Pdf', 'application/json')).toBe('application/pdf');
    expect((await service.fetch(`${path}.docx`)).status).toBe(404);
    expect((await service.fetch(path, { headers: { accept: 'image/png' } })).status).toBe(406);
  },
);

test('where one reference is another with an extension behind it, the whole name is tried first', async () => {
  const [short, long] = [await pay(service), await pay(service)];
  await makeOld(service, short.reference, 'Inv.1');
  await makeOld(service, long.reference, 'INV.1.JSON');
  const found = async (name: string) => (await service.ask(`/receipts/${name}`)).body['reference'];
  expect(await found('Inv.1')).toBe('Inv.1');
  expect(await found('Inv.1.json')).toBe('INV.1.JSON');
});

const ISSUER = { name: 'Mwananchi Sacco', contact: '0700 000 000' };

test('a receipt says whose it is, when it was paid, its fee and what it was for', async () => {
  await using own = await startTestService({ issuer: ISSUER });
  const fees = {
    type: 'TRANSFER',
    flat: '3.00',
    by: 'Achieng',
    reason: 'costs',
    idempotencyKey: 'fees-1',
  } as const;
  await setFeeRule(own.db, fees);
  const from = await openCustomer(own.db);
  const to = await openCustomer(own.db);
  const receipt = await deposit(own.db, { account: from, amount: '100.00' });
  const paid = await own.ask(`/receipts/${receipt}`);
  expect(paid.body).toMatchObject({
    paidAt: '2026-03-01T06:30:00.000Z',
    fee: null,
    narrative: null,
    issuer: ISSUER,
  });
  const transfer = await own.ask('/transfers', posting({ from, to, amount: '60.00', narrative: 'Rent' }));
  const path = `/receipts/${String(transfer.body['reference'])}`;
  const sent = await own.ask(path);
  const fee = { amount: '3.00', paidBy: 'from' };
  expect(sent.body).toMatchObject({ paidAt: null, fee, narrative: 'Rent', issuer: ISSUER });
  const page = await (await own.fetch(`${path}.html`)).text();
  for (const shown of [
    'Mwananchi Sacco',
    '0700 000 000',
    'KES 3.00',
    'Rent',
    own.url.slice('http://'.length),
  ]) {
    expect(page).toContain(shown);
  }
});

test('a receipt is in the language of the wallet that it is for, and in another where that is asked for', async () => {
  const from = await openWallet(service.db, { holderName: 'Jane', phone: '0700000001', language: 'sw' });
  const to = await openWallet(service.db, { holderName: 'John', phone: '0700000002', language: 'en' });
  const receipt = await deposit(service.db, { account: from.number, amount: '100.00' });
  const { body } = await service.ask(
    '/transfers',
    posting({ from: from.number, to: to.number, amount: '1.00' }),
  );
  const path = `/receipts/${String(body['reference'])}.html`;
  const languageOf = async (url: string) => {
    const page = await (await service.fetch(url, { headers: { 'accept-language': 'en' } })).text();
    return /<html lang="(..)">/.exec(page)?.[1];
  };
  expect(await languageOf(path)).toBe('sw');
  expect(await languageOf(`${path}?for=from`)).toBe('sw');
  expect(await languageOf(`${path}?for=to`)).toBe('en');
  expect(await languageOf(`${path}?lang=en`)).toBe('en');
  expect(await languageOf(`${path}?for=to&lang=sw`)).toBe('sw');
  // M-PESA reads no receipts.
  expect(await languageOf(`/receipts/${receipt}.html`)).toBe('sw');
  expect((await service.fetch(`${path}?lang=fr`)).status).toBe(422);
});
