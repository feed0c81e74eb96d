import { randomUUID } from 'node:crypto';
import { createApiKey } from '@repo/db';
import type { Scope } from '@repo/db';
import { confirmationOf, createPayment, createRandom, sendConfirmation, sendRaw } from '@repo/simulator';
import { expect, test } from 'vitest';
import { openCustomerWallet, startTestService, TEST_KEY, useTestService } from './testing.ts';
import type { TestService } from './testing.ts';

const service = useTestService();

const random = createRandom('people-routes.test');
const TOO_MUCH = '20000000.00';

interface Asked {
  readonly key?: string;
  readonly body?: unknown;
  readonly accept?: string;
}

async function ask({ url }: TestService, path: string, { key = TEST_KEY, body, accept }: Asked = {}) {
  const response = await fetch(`${url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'idempotency-key': randomUUID(),
      ...(accept === undefined ? {} : { accept }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: (isJson ? JSON.parse(text) : {}) as Record<string, unknown>,
    items: isJson ? ((JSON.parse(text) as { items?: Record<string, unknown>[] }).items ?? []) : [],
  };
}

async function keyWith(of: TestService, scope: Scope): Promise<string> {
  return (await createApiKey(of.db, { name: `the ${scope} key`, scopes: [scope] })).key;
}

/** A payment as M-PESA reports it; its receipt. */
async function pay(of: TestService, given: Parameters<typeof createPayment>[1] = {}): Promise<string> {
  const payment = createPayment(random, { amount: '100.00', phone: '254700000126', ...given });
  expect(await sendConfirmation(of.target, confirmationOf(payment, 'plain'))).toMatchObject({
    accepted: true,
  });
  return payment.receipt;
}

test('a payment above the limit is acknowledged, listed for people, and posted once when it is released', async () => {
  const account = await openCustomerWallet(service.db);
  const receipt = await pay(service, { account, amount: TOO_MUCH });
  const held = await ask(service, '/callbacks?outcome=HELD');
  expect(held.items).toMatchObject([{ receipt, outcome: 'held', error: 'above_limit', decision: null }]);
  expect((await ask(service, '/deposits?outcome=held')).items).toMatchObject([
    { receipt, outcome: 'held', amount: TOO_MUCH, wallet: null },
  ]);
  expect((await ask(service, `/deposits/${receipt}`)).body).toMatchObject({ outcome: 'held', decisions: [] });

  const body = { reason: 'Seen in the portal.' };
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => ask(service, `/deposits/${receipt}/release`, { body })),
  );
  for (const answer of answers) {
    expect([answer.status, answer.body]).toEqual([
      200,
      { receipt, outcome: 'credited', wallet: account, amount: TOO_MUCH },
    ]);
  }
  const [wallet] = await service.database.query(
    `SELECT balance::text FROM core.wallets WHERE id = '${account}'`,
  );
  expect(wallet).toEqual({ balance: TOO_MUCH });
  expect((await ask(service, '/callbacks?outcome=held')).items).toEqual([]);
  expect((await ask(service, '/callbacks?outcome=held&decided=show')).items).toMatchObject([
    { receipt, decision: { decision: 'released', reason: 'Seen in the portal.' } },
  ]);
});

test('a payment can be put aside, with who and why', async () => {
  const receipt = await pay(service, { account: '', amount: TOO_MUCH });
  const key = await keyWith(service, 'admin');
  const rejected = await ask(service, `/deposits/${receipt}/rejection`, { key, body: { reason: 'A test.' } });
  expect(rejected.body).toEqual({ receipt, outcome: 'rejected', wallet: null, amount: TOO_MUCH });
  expect((await ask(service, `/deposits/${receipt}`)).body).toMatchObject({
    outcome: 'rejected',
    decisions: [
      { decision: 'rejected', reason: 'A test.', decidedBy: expect.stringContaining('admin') as string },
    ],
  });
});

test.each([
  ['an unknown receipt', '/deposits/NEVERSEEN1/release', { reason: 'x' }, 404],
  ['no reason', '/deposits/NEVERSEEN1/release', { reason: ' ' }, 422],
  ['an unknown callback', `/callbacks/${randomUUID()}/resolution`, { decision: 'keep', reason: 'x' }, 404],
  ['an invalid id', '/callbacks/x/resolution', { decision: 'keep', reason: 'x' }, 404],
  ['an unknown decision', '/callbacks/x/resolution', { decision: 'burn', reason: 'x' }, 422],
])('a decision about %s is refused', async (...[, path, body, status]) => {
  expect((await ask(service, path, { body })).status).toBe(status);
});

test('a conflict is listed with what it said, and corrected or kept once', async () => {
  const account = await openCustomerWallet(service.db);
  const receipt = await pay(service, { account });
  await pay(service, { account, receipt, amount: '250.00' });
  const [conflict] = (await ask(service, '/callbacks?outcome=conflict')).items;
  expect(conflict).toMatchObject({ receipt, amount: '250.00', shortCode: '600100' });
  const path = `/callbacks/${String(conflict?.['id'])}/resolution`;
  const body = { decision: 'correct', reason: 'The portal says 250.' };
  expect((await ask(service, path, { body })).body).toEqual({
    id: conflict?.['id'],
    decision: 'correct',
    reference: `CR-${receipt}`,
  });
  expect((await ask(service, path, { body: { decision: 'keep', reason: 'x' } })).status).toBe(409);
  expect((await ask(service, '/callbacks?outcome=conflict')).items).toEqual([]);
});

test('a key that only reads sees nobody who paid, and decides nothing', async () => {
  await openCustomerWallet(service.db);
  const secrets = ['254700000126', '700000126', 'ATIENO', 'OTIENO', 'Mama Atieno'];
  const names = { firstName: 'ATIENO', middleName: '', lastName: 'OTIENO' };
  const receipt = await pay(service, { account: 'Mama Atieno 0700000126', ...names });
  await pay(service, { account: '0700 000 126', amount: TOO_MUCH, ...names });
  await sendRaw(service.target, 'confirmation', `{"TransID":"${receipt}","MSISDN":"254700000126"`);
  const [quarantined] = (await ask(service, '/callbacks?outcome=quarantined')).items;
  const one = `/callbacks/${String(quarantined?.['id'])}`;
  await ask(service, `${one}/resolution`, {
    body: { decision: 'keep', reason: 'ATIENO called 254700000126.' },
  });

  const key = await keyWith(service, 'read');
  for (const path of [
    '/suspense?status=all',
    '/deposits',
    `/deposits/${receipt}`,
    '/callbacks?decided=show',
    '/deposits?outcome=held',
  ]) {
    for (const accept of ['application/json', 'text/csv']) {
      const { status, text } = await ask(service, path, { key, accept });
      expect([200, 406]).toContain(status);
      for (const secret of secrets) expect(text).not.toContain(secret);
    }
  }
  expect((await ask(service, one, { key })).status).toBe(403);
  for (const path of [
    `/deposits/${receipt}/release`,
    `/deposits/${receipt}/rejection`,
    `${one}/resolution`,
  ]) {
    expect((await ask(service, path, { key, body: { reason: 'x', decision: 'keep' } })).status).toBe(403);
  }
  const whole = await ask(service, '/deposits?outcome=suspense');
  expect(whole.items).toMatchObject([
    { account: 'Mama Atieno 0700000126', phone: '254700000126', payerName: 'ATIENO OTIENO' },
  ]);
  expect((await ask(service, one)).body).toMatchObject({
    body: { encoding: 'utf8', content: `{"TransID":"${receipt}","MSISDN":"254700000126"` },
  });
});

test('the suggestions of a payment in suspense say why each wallet may have been meant', async () => {
  await using own = await startTestService();
  const [first, second] = [await openCustomerWallet(own.db), await openCustomerWallet(own.db)];
  const receipt = await pay(own, { account: '0700000126', phone: '254700000200' });
  const unpaid = await pay(own, { account: '', phone: '254700000200' });
  // Opened after the payments came.
  const payer = await openCustomerWallet(own.db, '254700000200');
  const { items } = await ask(own, '/suspense');
  expect(items).toMatchObject([
    { receipt: unpaid, reason: 'no_account', suggestions: [{ wallet: payer, reason: 'payer_phone' }] },
    {
      receipt,
      reason: 'ambiguous_phone',
      suggestions: [
        ...[first, second].toSorted().map((wallet) => ({ wallet, reason: 'account_phone' })),
        { wallet: payer, reason: 'payer_phone' },
      ],
    },
  ]);
  expect((await ask(own, `/deposits/${unpaid}`)).body).toMatchObject({
    suggestions: [{ wallet: payer, reason: 'payer_phone' }],
  });
});

test('the lists are CSV for those who ask, page by page, by days in Nairobi', async () => {
  await using own = await startTestService();
  const receipts: string[] = [];
  for (let i = 0; i < 5; i += 1) receipts.push(await pay(own, { account: '=1+1' }));
  const latest = receipts.toReversed();
  for (const [list, more] of [
    ['/deposits', ''],
    ['/callbacks', '&outcome=suspense'],
  ]) {
    const seen: string[] = [];
    let path: string | null = `${list ?? ''}?from=2020-01-01&limit=2${more ?? ''}`;
    while (path !== null) {
      const page: Awaited<ReturnType<typeof ask>> = await ask(own, path, { accept: 'text/csv' });
      expect(page.headers.get('content-type')).toBe('text/csv; charset=utf-8');
      const [header = '', ...lines] = page.text.trimEnd().split('\r\n');
      const column = header.split(',').indexOf('receipt');
      seen.push(...lines.map((line) => line.split(',')[column] ?? ''));
      path = /<(.+)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1] ?? null;
    }
    expect(seen).toEqual(latest);
    expect((await ask(own, `${list ?? ''}?to=2020-01-01`)).items).toEqual([]);
    expect((await ask(own, `${list ?? ''}?from=yesterday`)).status).toBe(422);
    expect((await ask(own, `${list ?? ''}?cursor=x`)).status).toBe(422);
    expect((await ask(own, `${list ?? ''}?outcome=lost`)).status).toBe(422);
  }
  expect((await ask(own, '/deposits', { accept: 'text/csv' })).text).toContain(",'=1+1,");
  expect((await ask(own, `/callbacks?receipt=${latest[0] ?? ''}`)).items).toMatchObject([
    { receipt: latest[0] },
  ]);
});
