import { expect, test } from 'vitest';
import { ask, PHONE, startForTest, startService, urlsOf } from './testing.ts';

const REGISTER = '/mpesa/c2b/v2/registerurl';

function registration(url: string, changes: Readonly<Record<string, unknown>> = {}) {
  return {
    ShortCode: '600100',
    ResponseType: 'Completed',
    ConfirmationURL: `${url}/confirmation`,
    ValidationURL: `${url}/validation`,
    ...changes,
  };
}

test('payments are reported to the registered URL, with the balance as it runs', async () => {
  const [daraja, service] = [await startForTest({ openingBalance: '10.50' }), await startService()];
  await daraja.pay({ account: '1000000009', amount: '1.00' });
  expect(service.taken).toEqual([]);
  expect(await ask(daraja, REGISTER, registration(service.url))).toMatchObject({
    status: 200,
    body: { ResponseCode: '0', OriginatorCoversationID: expect.any(String) as unknown },
  });
  await daraja.pay({ account: '1000000009', amount: '100', phone: PHONE });
  await daraja.sweep();
  await daraja.pay({ account: '1000000009', amount: '7.25', phone: PHONE });
  const messages = service.bodies().map((body) => JSON.parse(body) as Record<string, string>);
  expect(messages.map(({ OrgAccountBalance }) => OrgAccountBalance)).toEqual(['111.50', '7.25']);
  expect(messages[0]).toMatchObject({
    TransAmount: '100.00',
    MSISDN: '2547 ***** 126',
    TransactionType: 'Pay Bill',
  });
  expect(daraja.book()).toMatchObject({
    opening: '10.50',
    paidIn: '108.25',
    paidOut: '111.50',
    balance: '7.25',
  });
});

test('a phone belongs to one person, whatever it pays', async () => {
  const service = await startService();
  const daraja = await startForTest({ urls: urlsOf(service), shape: 'plain' });
  for (let amount = 1; amount <= 8; amount += 1) {
    await daraja.pay({ account: '1', amount: String(amount), phone: PHONE });
    await daraja.pay({ account: '1', amount: String(amount), phone: `25470000010${String(amount)}` });
  }
  const messages = service.bodies().map((body) => JSON.parse(body) as Record<string, string>);
  const names = ({ FirstName, LastName }: Record<string, string>) => `${FirstName ?? ''} ${LastName ?? ''}`;
  const own = messages.filter(({ MSISDN }) => MSISDN === PHONE);
  expect(new Set(own.map(names)).size).toBe(1);
  expect(new Set(messages.map(names)).size).toBeGreaterThan(1);
});

test('the first version of the registration has numbers hashed, and a setting has them in any form', async () => {
  const [daraja, service] = [await startForTest(), await startService()];
  await ask(daraja, '/mpesa/c2b/v1/registerurl', registration(service.url));
  await daraja.pay({ account: '1', amount: '1' });
  daraja.configure({ shape: 'hashed-masked' });
  await daraja.pay({ account: '1', amount: '1' });
  const numbers = service.bodies().map((body) => (JSON.parse(body) as { MSISDN: string }).MSISDN);
  expect(numbers[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(numbers[1]).toMatch(/^[0-9a-f]{34} \*{5} [0-9a-f]{25}$/);
});

test.each([
  ['ConfirmationURL', '/m-pesa/confirmation', 'M-PESA'],
  ['ConfirmationURL', '/mpesa/confirmation', 'MPESA'],
  ['ValidationURL', '/Safaricom/validation', 'SAFARICOM'],
  ['ValidationURL', '/sqlite/validation', 'SQL'],
  ['ValidationURL', '/validation?query=1', 'QUERY'],
  ['ConfirmationURL', '/cmd', 'CMD'],
  ['ConfirmationURL', '/executor', 'EXEC'],
])('a %s with %s is refused for the word %s', async (name, path, word) => {
  const [daraja, service] = [await startForTest(), await startService()];
  const fields = registration(service.url, { [name]: `${service.url}${path}` });
  expect(await ask(daraja, REGISTER, fields)).toMatchObject({
    status: 400,
    body: { errorMessage: `Bad Request - Invalid ${name} - URL has the word ${word}` },
  });
});

test('production takes https only, no tunnel, and one registration', async () => {
  const daraja = await startForTest({ isProduction: true });
  const register = (url: string) => ask(daraja, REGISTER, registration(url));
  expect((await register('http://pay.example')).status).toBe(400);
  expect((await register('https://shop.ngrok.example')).status).toBe(400);
  expect((await register('https://pay.example')).status).toBe(200);
  expect(await register('https://pay.example')).toMatchObject({
    status: 500,
    body: { errorCode: '500.003.1001', errorMessage: 'Urls are already registered' },
  });
});

test.each([{ ResponseType: 'completed' }, { ShortCode: '600101' }, { ValidationURL: 'nowhere' }])(
  'a registration with %o is refused',
  async (changes) => {
    const [daraja, service] = [await startForTest(), await startService()];
    expect((await ask(daraja, REGISTER, registration(service.url, changes))).status).toBe(400);
  },
);

test('a validation asks with the receipt of the confirmation, before any money moves', async () => {
  const service = await startService();
  const daraja = await startForTest({ urls: urlsOf(service), isValidated: true });
  await daraja.pay({ account: '1000000009', amount: '5' });
  expect(service.taken.map(({ path }) => path)).toEqual(['/validation', '/confirmation']);
  const [validation, confirmation] = service
    .bodies()
    .map((body) => JSON.parse(body) as Record<string, string>);
  expect(validation?.['TransID']).toBe(confirmation?.['TransID']);
  expect(validation?.['OrgAccountBalance']).toBe('');
});

test('a payment that the service refuses moves no money and is not confirmed', async () => {
  const service = await startService({
    status: 200,
    body: '{"ResultCode":"C2B00012","ResultDesc":"Rejected"}',
  });
  const daraja = await startForTest({ urls: urlsOf(service), isValidated: true });
  expect(await daraja.pay({ account: '1', amount: '5' })).toMatchObject({ isPaid: false, code: 'C2B00012' });
  expect(service.taken).toHaveLength(1);
  expect(daraja.book()).toMatchObject({ payments: [], balance: '0.00' });
});

test.each([
  ['Completed', true],
  ['Cancelled', false],
] as const)('without an answer to the validation a payment is %s', async (responseType, isPaid) => {
  const service = await startService({ status: 503, body: '' });
  const daraja = await startForTest({ urls: urlsOf(service, responseType), isValidated: true });
  expect((await daraja.pay({ account: '1', amount: '5' })).isPaid).toBe(isPaid);
});

test('a validation that is not answered in its time counts as not answered', async () => {
  const service = await startService(null);
  const daraja = await startForTest({
    urls: urlsOf(service, 'Cancelled'),
    isValidated: true,
    validationMs: 50,
  });
  expect(await daraja.pay({ account: '1', amount: '5' })).toMatchObject({ isPaid: false, code: null });
});

test('money goes to the bank and back to customers, and stays in the book', async () => {
  const service = await startService();
  const daraja = await startForTest({ urls: urlsOf(service) });
  const paid = await daraja.pay({ account: '1', amount: '80' });
  const receipt = paid.isPaid ? paid.payment.receipt : '';
  await daraja.sweep({ amount: '30', isReported: true });
  daraja.reverse(receipt);
  expect(daraja.book()).toMatchObject({
    paidIn: '80.00',
    paidOut: '110.00',
    balance: '-30.00',
    payments: [{ kind: 'c2b' }, { kind: 'sweep' }, { kind: 'reversal', reverses: receipt }],
  });
  expect(JSON.parse(service.bodies()[1] ?? '')).toMatchObject({
    TransactionType: 'Organization To Organization Transfer',
    MSISDN: '',
  });
  expect(service.taken).toHaveLength(2);
  expect(() => daraja.reverse('UNKNOWN')).toThrow(RangeError);
});
