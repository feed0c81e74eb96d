import { expect, test } from 'vitest';
import { openCustomer, startTestService } from '../testing.ts';

const ISSUER = { name: 'Mwananchi Sacco', contact: null };

test.each(['Mwananchi Sacco', 'MWANANCHI-SACCO', 'Mwananchí Sacco Care', 'M wananchi Sacco'])(
  'no customer is called %s, by opening or by changing a wallet',
  async (holderName) => {
    await using service = await startTestService({ issuer: ISSUER });
    const opened = await service.ask('/wallets', {
      method: 'POST',
      body: { holderName, phone: '0700000001' },
    });
    expect([opened.status, opened.body['code']]).toEqual([422, 'invalid_wallet']);
    expect(opened.body['findings']).toMatchObject([{ where: 'holderName' }]);
    const number = await openCustomer(service.db);
    const response = await fetch(`${service.url}/wallets/${number}`, {
      method: 'PATCH',
      headers: { authorization: 'Bearer test-key', 'content-type': 'application/json' },
      body: JSON.stringify({ holderName, reason: 'asked by telephone' }),
    });
    expect(response.status).toBe(422);
    expect(await service.query(`SELECT holder_name FROM core.wallets WHERE id = '${number}'`)).toEqual([
      { holder_name: 'Jane Mwangi' },
    ]);
  },
);

test('other names are not in the way of the issuer’s, nor is an issuer of a letter or two', async () => {
  await using service = await startTestService({ issuer: ISSUER });
  const body = { holderName: 'Mwananchi Otieno', phone: '0700000001' };
  expect((await service.ask('/wallets', { method: 'POST', body })).status).toBe(201);
  await using short = await startTestService({ issuer: { name: 'Jo', contact: null } });
  expect(
    (await short.ask('/wallets', { method: 'POST', body: { ...body, holderName: 'John' } })).status,
  ).toBe(201);
});

test.each(['WIN bit.ly/Z9x 0700111222', 'M-PESA', 'Otieno\u202E', 'QKJ41HARMI Confirmed'])(
  'a wallet for "%s" is refused',
  async (holderName) => {
    await using service = await startTestService();
    const answer = await service.ask('/wallets', {
      method: 'POST',
      body: { holderName, phone: '0700000001' },
    });
    expect([answer.status, answer.body['code']]).toEqual([422, 'invalid_wallet']);
  },
);
