import { expect, test } from 'vitest';
import { OUTCOMES } from './outcomes.ts';
import type { OutcomeName } from './outcomes.ts';
import { REFUSALS } from './refusals.ts';
import type { RefusalName } from './refusals.ts';
import type { StkBehaviour } from './settings.ts';
import { PHONE, push, query, startForTest, startService, urlsOf } from './testing.ts';

const NAMES = Object.keys(OUTCOMES) as OutcomeName[];
const REFUSED = Object.keys(REFUSALS) as RefusalName[];

function always(behaviour: StkBehaviour) {
  return { behaviour: () => behaviour };
}

/** A callback as a client reads it. */
function readCallback(body = ''): Record<string, unknown> {
  const read = JSON.parse(body) as { Body: { stkCallback: Record<string, unknown> } };
  return read.Body.stkCallback;
}

test('a prompt that is answered with the PIN is paid, reported with its receipt and stands in the book', async () => {
  const [daraja, service] = [await startForTest(), await startService()];
  const accepted = await push(daraja, service);
  expect(accepted).toMatchObject({ status: 200, body: { ResponseCode: '0' } });
  expect(service.taken).toEqual([]);
  const id = accepted.body['CheckoutRequestID'];
  expect(await query(daraja, id)).toMatchObject({
    status: 500,
    body: { errorCode: '500.001.1001', errorMessage: 'The transaction is being processed' },
  });
  await daraja.answerPrompt(PHONE, 'paid');
  const [payment] = daraja.book().payments;
  expect(payment).toMatchObject({ amount: '150.00', balance: '150.00', checkoutRequestId: id, phone: PHONE });
  const [body = ''] = service.bodies();
  expect(readCallback(body)).toMatchObject({ CheckoutRequestID: id, ResultCode: 0 });
  expect(body).toContain(`{"Name":"MpesaReceiptNumber","Value":"${payment?.receipt ?? '-'}"}`);
  expect(body).toContain('{"Name":"Amount","Value":150.00}');
  expect(body).toContain(`{"Name":"PhoneNumber","Value":${PHONE}}`);
  expect(await query(daraja, id)).toMatchObject({ status: 200, body: { ResultCode: '0' } });
});

test.each(NAMES.filter((name) => name !== 'paid'))(
  'a prompt can end as %s and then moves nothing',
  async (outcome) => {
    const [daraja, service] = [await startForTest(always({ outcome })), await startService()];
    const { body } = await push(daraja, service);
    await daraja.settled();
    const { code } = OUTCOMES[outcome];
    expect(readCallback(service.bodies()[0])).toMatchObject({ ResultCode: code });
    expect(readCallback(service.bodies()[0])).not.toHaveProperty('CallbackMetadata');
    expect(daraja.book()).toMatchObject({ payments: [], balance: '0.00' });
    expect(await query(daraja, body['CheckoutRequestID'])).toMatchObject({
      body: { ResultCode: String(code) },
    });
  },
);

test.each(REFUSED)('a request can be refused as %s, and then no prompt is on the phone', async (fault) => {
  const [daraja, service] = [await startForTest(always({ fault })), await startService()];
  const { status, errorCode, errorMessage } = REFUSALS[fault];
  expect(await push(daraja, service)).toMatchObject({ status, body: { errorCode, errorMessage } });
  expect(daraja.prompts()).toEqual([]);
});

test.each([
  ['lost-before', 0],
  ['lost-after', 1],
  ['cut', 1],
] as const)('an answer that is %s leaves %i prompts', async (fault, prompts) => {
  const [daraja, service] = [await startForTest(always({ fault, outcome: 'paid' })), await startService()];
  await expect(push(daraja, service)).rejects.toThrow();
  await daraja.settled();
  expect(daraja.prompts()).toHaveLength(prompts);
  expect(service.taken).toHaveLength(prompts);
  expect(daraja.book().paidIn).toBe(prompts === 0 ? '0.00' : '150.00');
});

test.each([
  ['BusinessShortCode', { BusinessShortCode: 'shop' }],
  ['Password', { Password: '' }],
  ['Timestamp', { Timestamp: '20261327120000' }],
  ['TransactionType', { TransactionType: 'PayBill' }],
  ['Amount', { Amount: '150.50' }],
  ['Amount', { Amount: 0 }],
  ['Amount', { Amount: 250_001 }],
  ['PartyA', { PartyA: '0700000126' }],
  ['PartyB', { PartyB: '' }],
  ['PhoneNumber', { PhoneNumber: '25470000012' }],
  ['CallBackURL', { CallBackURL: 'https://shop.example/callback' }],
  ['AccountReference', { AccountReference: 'thirteenchars' }],
  ['Remarks', { TransactionDesc: 'fourteen chars' }],
  ['Remarks', { TransactionDesc: undefined }],
])('a push with a wrong %s is refused by its name', async (name, changes) => {
  const [daraja, service] = [await startForTest(), await startService()];
  expect(await push(daraja, service, changes)).toMatchObject({
    status: 400,
    body: { errorCode: '400.002.02', errorMessage: `Bad Request - Invalid ${name}` },
  });
});

test('the password must be made of short code, passkey and the time of the request', async () => {
  const [daraja, service] = [await startForTest(), await startService()];
  expect(await push(daraja, service, { Timestamp: '20261127120001' })).toMatchObject({
    status: 500,
    body: { errorCode: '500.001.1001', errorMessage: 'Wrong credentials' },
  });
  expect(await push(daraja, service, { BusinessShortCode: '600101' })).toMatchObject({
    body: { errorCode: '500.001.1001', errorMessage: 'Merchant does not exist' },
  });
});

test('a phone answers one prompt at a time', async () => {
  const [daraja, service] = [await startForTest(), await startService()];
  await push(daraja, service);
  expect(await push(daraja, service, { Amount: 1 })).toMatchObject({
    status: 500,
    body: { errorMessage: REFUSALS['busy-subscriber'].errorMessage },
  });
  await daraja.answerPrompt(PHONE, 'cancelled');
  expect(await push(daraja, service)).toMatchObject({ status: 200 });
  await expect(daraja.answerPrompt('254700000127', 'paid')).rejects.toThrow(RangeError);
});

test('a till is paid by its own number, and who takes the store for it gets nothing', async () => {
  const [daraja, service] = [
    await startForTest({ till: '700200', ...always({ outcome: 'paid' }) }),
    await startService(),
  ];
  const buyGoods = { TransactionType: 'CustomerBuyGoodsOnline' };
  await push(daraja, service, { ...buyGoods, PartyB: '600100' });
  await daraja.settled();
  await push(daraja, service);
  await daraja.settled();
  expect(daraja.book().payments).toEqual([]);
  await push(daraja, service, { ...buyGoods, PartyB: '700200' });
  await daraja.settled();
  const codes = service.bodies().map((body) => readCallback(body)['ResultCode']);
  expect(codes).toEqual(['SFC_IC0003', 2028, 0]);
  expect(daraja.book().payments).toMatchObject([{ shortCode: '700200', account: '' }]);
});

test('an open prompt can be called 4999 by the query, and one that nobody answers ends with 1037', async () => {
  const [daraja, service] = [await startForTest({ pendingAs: '4999', promptMs: 200 }), await startService()];
  const { body } = await push(daraja, service);
  expect(await query(daraja, body['CheckoutRequestID'])).toMatchObject({
    status: 200,
    body: { ResponseCode: '0', ResultCode: '4999' },
  });
  await expect.poll(() => service.taken.length).toBe(1);
  expect(readCallback(service.bodies()[0])).toMatchObject({ ResultCode: 1037 });
  expect(await query(daraja, 'ws_CO_unknown')).toMatchObject({
    status: 500,
    body: { errorMessage: 'The transaction does not Exist' },
  });
});

test.each([
  ['callback-first', ['/callback', '/confirmation']],
  ['confirmation-first', ['/confirmation', '/callback']],
] as const)('both events of one payment come %s, with one receipt', async (order, paths) => {
  const service = await startService();
  const daraja = await startForTest({ urls: urlsOf(service), ...always({ outcome: 'paid', order }) });
  await push(daraja, service);
  await daraja.settled();
  expect(service.taken.map(({ path }) => path)).toEqual(paths);
  const [payment] = daraja.book().payments;
  for (const body of service.bodies()) expect(body).toContain(`"${payment?.receipt ?? '-'}"`);
  expect(service.bodies().join('\n')).toContain('"OrgAccountBalance":"150.00"');
});

test('money can move after a verdict of failure, and one prompt can be paid twice', async () => {
  const service = await startService();
  const daraja = await startForTest({
    urls: urlsOf(service),
    ...always({ outcome: 'unreachable', thenPaid: 'confirmation' }),
  });
  await push(daraja, service);
  await daraja.settled();
  expect(service.taken.map(({ path }) => path)).toEqual(['/callback', '/confirmation']);
  expect(readCallback(service.bodies()[0])).toMatchObject({ ResultCode: 1037 });
  daraja.configure(always({ outcome: 'paid', payments: 2 }));
  const { body } = await push(daraja, service);
  await daraja.settled();
  const twice = daraja
    .book()
    .payments.filter(({ checkoutRequestId }) => checkoutRequestId === body['CheckoutRequestID']);
  expect(new Set(twice.map(({ receipt }) => receipt)).size).toBe(2);
  expect(daraja.book().balance).toBe('450.00');
});

test('events can overtake the answer to the request', async () => {
  const [daraja, service] = [
    await startForTest(always({ outcome: 'paid', when: 'before' })),
    await startService(),
  ];
  await push(daraja, service);
  expect(service.taken).toHaveLength(1);
});

test('a varied callback has codes as texts, items in another order and a balance without a value', async () => {
  const [daraja, service] = [
    await startForTest({ nuisances: { vary: 10_000 }, ...always({ outcome: 'paid' }) }),
    await startService(),
  ];
  for (let amount = 1; amount <= 40; amount += 1) {
    await push(daraja, service, { Amount: amount });
    await daraja.settled();
  }
  const bodies = service.bodies();
  const firstItems = bodies.map((body) => /"Item":\[\{"Name":"(\w+)"/.exec(body)?.[1]);
  expect(new Set(firstItems).size).toBeGreaterThan(1);
  for (const form of [/"ResultCode":"0"/, /"ResultCode":0/, /\{"Name":"Balance"\}/, /"Value":\d+\.00/]) {
    expect(bodies.some((body) => form.test(body))).toBe(true);
    expect(bodies.every((body) => form.test(body))).toBe(false);
  }
  for (const body of bodies) expect(() => readCallback(body)).not.toThrow();
});
