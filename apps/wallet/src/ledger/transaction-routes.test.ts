import { randomUUID } from 'node:crypto';
import { assignSuspense } from '@repo/db';
import { expect, test } from 'vitest';
import {
  balanceOf,
  deposit,
  makeOld,
  openCustomer,
  posting,
  startTestService,
  useTestService,
} from '../testing.ts';
import type { TestService } from '../testing.ts';

const service = useTestService();

async function pay(of: TestService, amount = '60.00') {
  const from = await openCustomer(of.db, '100.00');
  const to = await openCustomer(of.db);
  const { body } = await of.ask('/transfers', posting({ from, to, amount, narrative: 'Rent' }));
  return { from, to, reference: String(body['reference']), body };
}

test('a transaction is found by its reference, in any case', async () => {
  const { from, to, reference, body } = await pay(service);
  const answer = await service.ask(`/transactions/${reference.toLowerCase()}`);
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({
    reference,
    type: 'transfer',
    from,
    to,
    amount: '60.00',
    currency: 'KES',
    createdAt: body['createdAt'],
    verificationHash: body['verificationHash'],
    narrative: 'Rent',
    remaining: '60.00',
  });
});

test('a deposit is found by its M-PESA receipt', async () => {
  const wallet = await openCustomer(service.db);
  const receipt = await deposit(service.db, { account: wallet, amount: '12.00' });
  const { body } = await service.ask(`/transactions/${receipt}`);
  expect(body).toMatchObject({ reference: receipt, type: 'deposit', from: 'MPESA-FLOAT', to: wallet });
});

test.each(['txn-0001', 'Inv.2023.1', 'receipt.html', '.json', ' x ', 'a/b'])(
  'the old reference %s is found as it stands',
  async (old) => {
    const { reference } = await pay(service);
    await makeOld(service, reference, old);
    const answer = await service.ask(`/transactions/${encodeURIComponent(old)}`);
    expect([answer.status, answer.body['reference']]).toEqual([200, old]);
  },
);

test('of two references that differ in case, the one as given is shown and sent back', async () => {
  await using own = await startTestService();
  const [small, capital] = [await pay(own), await pay(own)];
  await makeOld(own, small.reference, 'txn-0001');
  await makeOld(own, capital.reference, 'TXN-0001');
  for (const reference of ['txn-0001', 'TXN-0001']) {
    expect((await own.ask(`/transactions/${reference}`)).body['reference']).toBe(reference);
    const back = await own.ask(`/transactions/${reference}/reversal`, posting({ amount: '1.00' }));
    expect([back.status, back.body['reverses']]).toEqual([201, reference]);
  }
  expect((await own.ask('/transactions/Txn-0001')).body['reference']).toBe('TXN-0001');
});

test.each(['DF-000000000000', 'x', '%00', '9'.repeat(300)])(
  'the reference %s is not found',
  async (reference) => {
    const answer = await service.ask(`/transactions/${reference}`);
    expect([answer.status, answer.body['code']]).toEqual([404, 'unknown_transaction']);
  },
);

test('money is sent back in parts, up to what is left, and both sides say so', async () => {
  const { from, to, reference } = await pay(service);
  const path = `/transactions/${reference}/reversal`;
  const request = posting({ amount: '25.00', narrative: 'Overcharged' });
  const part = await service.ask(path, request);
  expect(part.status).toBe(201);
  expect(part.body).toMatchObject({
    type: 'reversal',
    from: to,
    to: from,
    amount: '25.00',
    balanceAfter: '35.00',
    reverses: reference,
    remaining: '35.00',
  });
  const again = await service.ask(path, request);
  expect([again.status, again.body]).toEqual([200, part.body]);
  const rest = await service.ask(path, posting({}));
  expect(rest.body).toMatchObject({ amount: '35.00', remaining: '0.00' });
  expect(await balanceOf(service, from)).toBe('100.00');

  const references = [part.body['reference'], rest.body['reference']];
  expect((await service.ask(`/transactions/${reference}`)).body).toMatchObject({
    reversedBy: references,
    remaining: '0.00',
  });
  expect((await service.ask(`/transactions/${String(references[0])}`)).body).toMatchObject({
    reverses: reference,
  });
});

test('a reversal needs no body', async () => {
  const { reference } = await pay(service);
  const answer = await service.ask(`/transactions/${reference}/reversal`, {
    method: 'POST',
    headers: { 'idempotency-key': randomUUID() },
  });
  expect([answer.status, answer.body['amount']]).toEqual([201, '60.00']);
});

test('what cannot be sent back is refused, says why and moves nothing', async () => {
  const { from, to, reference } = await pay(service);
  const reverse = async (of: string, body: unknown, key?: string) => {
    const answer = await service.ask(`/transactions/${of}/reversal`, posting(body, key));
    return [answer.status, answer.body['code']];
  };
  expect(await reverse(reference, { amount: '60.01' })).toEqual([422, 'exceeds_remaining']);
  expect(await reverse(reference, { amount: '0' })).toEqual([422, 'invalid_amount']);
  expect(await reverse(reference, { amount: 1 })).toEqual([422, 'invalid_amount']);
  expect(await reverse(reference, { why: 'so' })).toEqual([422, 'invalid_request']);
  expect(await reverse('DF-000000000000', {})).toEqual([404, 'unknown_transaction']);
  expect(await balanceOf(service, to)).toBe('60.00');

  await service.ask('/transfers', posting({ from: to, to: await openCustomer(service.db), amount: '50.00' }));
  expect(await reverse(reference, {})).toEqual([422, 'funds_spent']);
  const key = randomUUID();
  const done = await service.ask(`/transactions/${reference}/reversal`, posting({ amount: '10.00' }, key));
  expect(done.status).toBe(201);
  expect(await reverse(reference, { amount: '5.00' }, key)).toEqual([409, 'key_reused']);
  expect(await reverse(String(done.body['reference']), {})).toEqual([422, 'not_reversible']);

  await service.ask('/transfers', posting({ from, to, amount: '50.00' }));
  expect((await reverse(reference, {}))[0]).toBe(201);
  expect(await reverse(reference, {})).toEqual([409, 'already_reversed']);
  const missing = await service.ask(`/transactions/${reference}/reversal`, { method: 'POST', body: {} });
  expect([missing.status, missing.body['code']]).toEqual([400, 'idempotency_key_required']);
});

test('a payment that was assigned from suspense is reversed by reversing its assignment first', async () => {
  const wallet = await openCustomer(service.db);
  const receipt = await deposit(service.db, { account: 'nobody', amount: '40.00', outcome: 'suspense' });
  const assigned = await assignSuspense(service.db, { receipt, wallet });
  const reverse = (reference: string) => service.ask(`/transactions/${reference}/reversal`, posting({}));
  const refused = await reverse(receipt);
  expect([refused.status, refused.body['code']]).toEqual([409, 'already_assigned']);
  expect((await reverse(assigned.reference)).status).toBe(201);
  expect((await reverse(receipt)).status).toBe(201);
  expect(await balanceOf(service, wallet)).toBe('0.00');
});

test('twenty reversals at once send the money back once', async () => {
  const { from, reference } = await pay(service);
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => service.ask(`/transactions/${reference}/reversal`, posting({}))),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(answers.filter(({ body }) => body['code'] === 'already_reversed')).toHaveLength(19);
  expect(await balanceOf(service, from)).toBe('100.00');
});

test('a reversal refused because its transaction was missing stays refused, also when the transaction comes', async () => {
  const { from, to, reference } = await pay(service);
  await makeOld(service, reference, 'DF-LATE00000000');
  const request = posting(undefined);
  const reverse = async () => {
    const { status, body } = await service.ask(`/transactions/${reference}/reversal`, request);
    return [status, body['code']];
  };
  expect(await reverse()).toEqual([404, 'unknown_transaction']);
  await makeOld(service, 'DF-LATE00000000', reference);
  expect(await reverse()).toEqual([404, 'unknown_transaction']);
  expect([await balanceOf(service, from), await balanceOf(service, to)]).toEqual(['40.00', '60.00']);
});
