import { hasCheckDigit } from '@repo/db';
import { expect, test } from 'vitest';
import { openCustomer, posting, startTestService, useTestService } from '../testing.ts';

const service = useTestService();

test('a wallet is opened empty, with a number that has a check digit', async () => {
  const answer = await service.ask('/wallets', {
    method: 'POST',
    body: { holderName: 'Jane Mwangi', phone: '0712 345 678' },
  });
  expect(answer.status).toBe(201);
  expect(answer.body).toEqual({
    number: expect.stringMatching(/^[1-9]\d{9}$/) as string,
    holderName: 'Jane Mwangi',
    phone: '254712345678',
    currency: 'KES',
    status: 'active',
    balance: '0.00',
    language: 'en',
  });
  expect(hasCheckDigit(String(answer.body['number']))).toBe(true);
});

test.each([
  ['an invalid phone', { phone: 'call me' }, ['invalid_wallet', 'phone']],
  ['a name of spaces', { holderName: '   ' }, ['invalid_wallet', 'holderName']],
  ['no name', { holderName: undefined }, ['invalid_request', 'body/holderName']],
  ['another currency', { currency: 'USD' }, ['invalid_request', 'body/currency']],
  ['a number of its own', { number: '1234567897' }, ['invalid_request', 'number']],
])('a wallet with %s is not opened', async (_what, change, [code, named]) => {
  const wallets = () => service.query(`SELECT id FROM core.wallets ORDER BY id`);
  const before = await wallets();
  const body = { holderName: 'Jane Mwangi', phone: '0712345678', ...change };
  const answer = await service.ask('/wallets', { method: 'POST', body });
  expect(answer.status).toBe(422);
  expect(answer.body['code']).toBe(code);
  expect(JSON.stringify(answer.body['findings'])).toContain(named);
  expect(await wallets()).toEqual(before);
});

test('a look-up shows whose wallet it is, masked, and neither phone nor balance', async () => {
  const number = await openCustomer(service.db, '70.00', 'Jane Mwangi');
  const answer = await service.ask(`/wallets/${number}`);
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({ number, holderName: 'J*** M*****', status: 'active', currency: 'KES' });
  expect(answer.headers.get('cache-control')).toBe('no-store');
});

test('wallets are found by phone however it is written, and by the beginning of the number, masked', async () => {
  await using own = await startTestService();
  const open = async (phone: string) =>
    (await own.ask('/wallets', { method: 'POST', body: { holderName: 'Jane Mwangi', phone } })).body;
  const [one, two, other] = [
    await open('0712345678'),
    await open('+254 712 345 678'),
    await open('0799999999'),
  ];
  const find = async (query: string) => {
    const { body } = await own.ask(`/wallets?${query}`);
    return body['items'] as { number: string }[];
  };
  const both = new Set([one['number'], two['number']]);
  expect(new Set((await find('phone=0712345678')).map(({ number }) => number))).toEqual(both);
  expect(await find('phone=254799999999')).toEqual([
    { number: other['number'], holderName: 'J*** M*****', status: 'active', currency: 'KES' },
  ]);
  expect(await find('phone=0711111111')).toEqual([]);
  const prefix = String(other['number']).slice(0, 9);
  expect((await find(`prefix=${prefix}`)).map(({ number }) => number)).toEqual([other['number']]);
  expect(await find(`prefix=${prefix}&phone=0712345678`)).toEqual([]);
  const { body: first } = await own.ask('/wallets?phone=0712345678&limit=1');
  const rest = await find(`phone=0712345678&limit=1&cursor=${String(first['nextCursor'])}`);
  const paged = [...(first['items'] as { number: string }[]), ...rest].map(({ number }) => number);
  expect(new Set(paged)).toEqual(both);
});

test.each([
  '',
  'prefix=12',
  'prefix=12a',
  'prefix=%25%25%25',
  'limit=5',
  'nickname=Jane',
  'phone=0712345678&limit=0',
])('a search by "%s" is refused', async (query) => {
  const answer = await service.ask(`/wallets?${query}`);
  expect([answer.status, answer.body['code']]).toEqual([422, 'invalid_request']);
});

test('the balance shows what is there, what is held and what can be spent', async () => {
  const number = await openCustomer(service.db, '100.00');
  await service.ask('/holds', posting({ wallet: number, amount: '30.00' }));
  const answer = await service.ask(`/wallets/${number}/balance`);
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({
    number,
    balance: '100.00',
    held: '30.00',
    available: '70.00',
    currency: 'KES',
    asOf: expect.stringMatching(/Z$/) as string,
  });
});

test('a wallet is frozen, thawed and closed for good, each with its reason kept', async () => {
  const number = await openCustomer(service.db);
  const change = (verb: string) =>
    service.ask(`/wallets/${number}/${verb}`, { method: 'POST', body: { reason: `to ${verb} it` } });
  expect((await change('freeze')).body).toEqual({
    number,
    holderName: 'J*** M*****',
    status: 'frozen',
    currency: 'KES',
  });
  expect((await change('unfreeze')).body['status']).toBe('active');
  expect((await change('close')).body['status']).toBe('closed');
  const thawed = await change('unfreeze');
  expect([thawed.status, thawed.body['code']]).toEqual([422, 'wallet_closed']);
  expect(
    await service.query('SELECT new_value AS status, reason AS note FROM core.wallet_events ORDER BY id'),
  ).toEqual([
    { status: 'FROZEN', note: 'to freeze it' },
    { status: 'ACTIVE', note: 'to unfreeze it' },
    { status: 'CLOSED', note: 'to close it' },
  ]);
});

test('a wallet with money in it does not close', async () => {
  const number = await openCustomer(service.db, '0.01');
  const answer = await service.ask(`/wallets/${number}/close`, {
    method: 'POST',
    body: { reason: 'enough' },
  });
  expect([answer.status, answer.body['code']]).toEqual([409, 'wallet_not_empty']);
});

test.each(['freeze', 'unfreeze', 'close'])('%s needs a reason and an existing wallet', async (verb) => {
  const number = await openCustomer(service.db);
  const change = (wallet: string, body: unknown) =>
    service.ask(`/wallets/${wallet}/${verb}`, { method: 'POST', body });
  expect((await change(number, {})).body['code']).toBe('invalid_request');
  for (const unknown of ['1000000000', 'MPESA-FLOAT', '9'.repeat(300)]) {
    const answer = await change(unknown, { reason: 'curiosity' });
    expect([answer.status, answer.body['code']]).toEqual([404, 'unknown_wallet']);
  }
});
