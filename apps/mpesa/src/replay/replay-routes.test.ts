import { randomUUID } from 'node:crypto';
import { confirmationOf, createPayment, createRandom, sendConfirmation, sendRaw } from '@repo/simulator';
import { expect, test } from 'vitest';
import { getDeposit, openCustomerWallet, startTestService } from '../testing.ts';
import type { TestService } from '../testing.ts';
import { list, post } from './testing.ts';

const random = createRandom('replay-routes.test');

/** A payment whose amount nobody can read, in quarantine; the id of its callback and how it should have been. */
async function quarantineOne(service: TestService, account: string) {
  const payment = createPayment(random, { account, amount: '120.00', phone: '254700000126' });
  const right = confirmationOf(payment, 'plain');
  const text = JSON.stringify(right);
  const broken = text.replace('120.00', '120,00');
  expect(broken).not.toBe(text);
  await sendRaw(service.target, 'confirmation', Buffer.from(broken));
  const [callback] = await list(service, '/callbacks?outcome=quarantined');
  return { id: String(callback?.['id']), receipt: payment.receipt, text, broken };
}

test('a corrected body credits once, however often and by however many it is taken in; both bodies stay', async () => {
  await using service = await startTestService();
  const wallet = await openCustomerWallet(service.db);
  const { id, receipt, text, broken } = await quarantineOne(service, wallet);
  const request = { reason: 'The portal shows KES 120.00', body: text };
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => post(service, `/callbacks/${id}/replay`, request)),
  );
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  const outcomes = answers.map(({ body }) => body['outcome']);
  expect(outcomes.filter((outcome) => outcome === 'credited')).toHaveLength(1);
  expect(outcomes.filter((outcome) => outcome === null)).toHaveLength(7);
  const rows = await service.database.query(
    `SELECT kind, outcome, convert_from(body, 'UTF8') AS body FROM services.mpesa_callbacks ORDER BY id`,
  );
  expect(rows).toEqual([
    { kind: 'C2B_CONFIRMATION', outcome: 'QUARANTINED', body: broken },
    { kind: 'REPLAY', outcome: 'CREDITED', body: text },
  ]);
  expect(
    await service.database.query(`SELECT balance::text AS balance FROM core.wallets WHERE id = '${wallet}'`),
  ).toEqual([{ balance: '120.00' }]);
  const deposit = (await (await getDeposit(service, receipt)).json()) as { decisions: unknown[] };
  expect(deposit.decisions).toMatchObject([
    { decision: 'replayed', reason: request.reason, reference: receipt },
  ]);
  // It waits for nobody any more.
  expect(await list(service, '/callbacks?outcome=quarantined')).toEqual([]);
});

test('the confirmation that comes later all the same credits nothing more', async () => {
  await using service = await startTestService();
  const wallet = await openCustomerWallet(service.db);
  const { id, receipt, text } = await quarantineOne(service, wallet);
  await post(service, `/callbacks/${id}/replay`, { reason: 'as in the portal', body: text });
  await sendRaw(service.target, 'confirmation', Buffer.from(text));
  const deposit = (await (await getDeposit(service, receipt)).json()) as { callbacks: unknown[] };
  expect(deposit.callbacks).toHaveLength(3);
  expect(
    await service.database.query(`SELECT balance::text AS balance FROM core.wallets WHERE id = '${wallet}'`),
  ).toEqual([{ balance: '120.00' }]);
});

test('a body that still cannot be read stays where it is, and the answer says why', async () => {
  await using service = await startTestService();
  const { id } = await quarantineOne(service, '1000000009');
  const { status, body } = await post(service, `/callbacks/${id}/replay`, { reason: 'again' });
  expect(status).toBe(422);
  expect(body['detail']).toContain('TransAmount');
  expect(await list(service, '/callbacks?outcome=quarantined')).toMatchObject([{ id, decision: null }]);
});

test('what is decided in another way, has been credited or is unknown is not taken in', async () => {
  await using service = await startTestService();
  const { id, text } = await quarantineOne(service, '1000000009');
  await post(service, `/callbacks/${id}/resolution`, { decision: 'keep', reason: 'a probe' });
  const replay = { reason: 'again', body: text };
  expect(await post(service, `/callbacks/${id}/replay`, replay)).toMatchObject({
    status: 409,
    body: { code: 'already_resolved' },
  });
  const payment = createPayment(random, { account: '1', amount: '5.00' });
  await sendConfirmation(service.target, confirmationOf(payment, 'plain'));
  const [credited] = await list(service, '/callbacks?outcome=suspense');
  expect(await post(service, `/callbacks/${String(credited?.['id'])}/replay`, replay)).toMatchObject({
    status: 422,
    body: { code: 'nothing_to_resolve' },
  });
  expect(await post(service, `/callbacks/${randomUUID()}/replay`, replay)).toMatchObject({ status: 404 });
});

test('a payment in suspense is marked as one that goes back, shows its age, and the mark is taken away again', async () => {
  await using service = await startTestService();
  const wallet = await openCustomerWallet(service.db);
  const payment = createPayment(random, { account: 'nobody', amount: '5.00', phone: '254700000199' });
  await sendConfirmation(service.target, confirmationOf(payment, 'plain'));
  const path = `/suspense/${payment.receipt}/refund`;
  const [before] = await list(service, '/suspense');
  expect(before).toMatchObject({ receipt: payment.receipt, refund: null });
  expect(before?.['ageSeconds']).toBeGreaterThanOrEqual(0);
  expect(await post(service, path, { decision: 'mark', reason: 'the payer asked' })).toMatchObject({
    status: 200,
  });
  expect(await list(service, '/suspense')).toMatchObject([
    { refund: { markedBy: expect.any(String) as string } },
  ]);
  await post(service, path, { decision: 'unmark', reason: 'they found the number' });
  expect(await list(service, '/suspense')).toMatchObject([{ refund: null }]);
  await post(service, `/suspense/${payment.receipt}/assignment`, { wallet });
  expect(await post(service, path, { decision: 'mark', reason: 'too late' })).toMatchObject({
    status: 409,
    body: { code: 'already_assigned' },
  });
});
