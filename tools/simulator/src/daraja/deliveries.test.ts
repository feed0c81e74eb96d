import { expect, test } from 'vitest';
import { startForTest, startService, urlsOf } from './testing.ts';

const ORDER = { account: '1000000009', amount: '5' };

test('an event is dropped or sent twice, and the book says so', async () => {
  const service = await startService();
  const daraja = await startForTest({ urls: urlsOf(service) });
  await daraja.pay({ ...ORDER, confirmation: { copies: 0 } });
  expect(service.taken).toEqual([]);
  await daraja.pay({ ...ORDER, confirmation: { copies: 2 } });
  expect(service.taken).toHaveLength(2);
  expect(new Set(service.bodies()).size).toBe(1);
  expect(daraja.book().payments.map(({ events }) => events.map(({ answers }) => answers))).toEqual([
    [[]],
    [[200, 200]],
  ]);
});

test('a held event is overtaken by the next one, or released in the end', async () => {
  const service = await startService();
  const daraja = await startForTest({ urls: urlsOf(service) });
  await daraja.pay({ ...ORDER, account: 'first', confirmation: { isHeld: true } });
  await daraja.pay({ ...ORDER, account: 'second' });
  await expect.poll(() => service.taken.length).toBe(2);
  const accounts = () =>
    service.bodies().map((body) => (JSON.parse(body) as { BillRefNumber: string }).BillRefNumber);
  expect(accounts()).toEqual(['second', 'first']);
  await daraja.pay({ ...ORDER, account: 'last', confirmation: { isHeld: true } });
  await daraja.settled();
  expect(accounts()).toEqual(['second', 'first', 'last']);
});

test('a mutated event is another body', async () => {
  const service = await startService();
  const daraja = await startForTest({ urls: urlsOf(service) });
  await daraja.pay({ ...ORDER, confirmation: { copies: 2, isMutated: true } });
  await daraja.pay(ORDER);
  const [mutated, same, sound] = service.bodies();
  expect(same).toBe(mutated);
  expect(() => JSON.parse(sound ?? '') as unknown).not.toThrow();
  expect(mutated?.length === sound?.length && mutated === sound).toBe(false);
});

test('an event that nobody takes is repeated as often as it is set, and no more', async () => {
  const service = await startService({ status: 503, body: '' });
  const daraja = await startForTest({ urls: urlsOf(service), attempts: 3 });
  await daraja.pay(ORDER);
  expect(daraja.book().payments[0]?.events).toMatchObject([{ answers: [503, 503, 503] }]);
  const nobody = await startForTest({ urls: urlsOf({ ...service, url: 'http://127.0.0.1:1' }) });
  await nobody.pay(ORDER);
  expect(nobody.book().payments[0]?.events).toMatchObject([{ answers: [null] }]);
});

test('a load balancer chooses for each sending where it goes', async () => {
  const service = await startService();
  const services = ['http://127.0.0.1:1', service.url];
  const daraja = await startForTest({
    urls: urlsOf({ ...service, url: 'http://127.0.0.1:2' }),
    attempts: 3,
    route: (url) => url.replace('http://127.0.0.1:2', services.shift() ?? 'http://127.0.0.1:3'),
  });
  await daraja.pay(ORDER);
  expect(daraja.book().payments[0]?.events).toMatchObject([{ answers: [null, 200] }]);
  expect(service.taken.map(({ path }) => path)).toEqual(['/confirmation']);
});
