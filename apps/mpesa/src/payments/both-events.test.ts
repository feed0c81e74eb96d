import { expect, test } from 'vitest';
import { openCustomerWallet, TEST_TOKEN } from '../testing.ts';
import { eventKinds, postPayment, startPaymentService, untilStatus } from './testing.ts';
import type { PaymentService } from './testing.ts';

const PAYMENTS = 60;
const AT_ONCE = 60;
const WALLETS = 4;

/** Has the simulated M-PESA report payments by C2B too, as it does once the URLs of a short code are registered. */
async function registerUrls({ daraja, url }: PaymentService): Promise<void> {
  const basic = Buffer.from('simulated-key:simulated-secret').toString('base64');
  const granted = await fetch(`${daraja.url}/oauth/v1/generate?grant_type=client_credentials`, {
    headers: { authorization: `Basic ${basic}` },
  });
  const { access_token: token } = (await granted.json()) as { access_token: string };
  const registered = await fetch(`${daraja.url}/mpesa/c2b/v2/registerurl`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({
      ShortCode: daraja.shortCode,
      ResponseType: 'Completed',
      ConfirmationURL: `${url}/c2b/${TEST_TOKEN}/confirmation`,
      ValidationURL: `${url}/c2b/${TEST_TOKEN}/validation`,
    }),
  });
  expect(registered.status).toBe(200);
}

const DELIVERIES = `
  SELECT l.mpesa_receipt AS receipt, l.amount::text AS amount, l.wallet_id AS wallet,
         (SELECT count(*)::int FROM services.sms_logs s
           WHERE s.transaction_reference IN (l.mpesa_receipt, 'AS-' || l.mpesa_receipt)) AS messages
    FROM services.mpesa_logs l`;

test('both events of a payment, in every order, twice and at once, are one credit and one message', async () => {
  await using service = await startPaymentService({
    simulator: { nuisances: { duplicate: 5_000, delay: 5_000, vary: 5_000, mostDelayMs: 30 } },
  });
  await registerUrls(service);
  service.daraja.configure({ behaviour: () => ({ outcome: 'paid' }) });
  const wallets: string[] = [];
  for (let at = 0; at < WALLETS; at += 1) wallets.push(await openCustomerWallet(service.db));
  const asked: number[] = [];
  for (let first = 0; first < PAYMENTS; first += AT_ONCE) {
    const wave = Array.from({ length: Math.min(AT_ONCE, PAYMENTS - first) }, async (_, place) => {
      const at = first + place;
      const { status } = await postPayment(service, {
        wallet: wallets[at % WALLETS],
        amount: String(100 + at),
        phone: `070001${String(at).padStart(4, '0')}`,
        // Half of them name an order instead of the wallet: C2B echoes that.
        ...(at % 2 === 0 ? {} : { reference: `ORDER-${String(at)}` }),
      });
      return status;
    });
    asked.push(...(await Promise.all(wave)));
  }
  expect(asked.filter((status) => status === 202)).toHaveLength(PAYMENTS);
  await service.daraja.settled();

  const book = service.daraja.book().payments;
  expect(book).toHaveLength(PAYMENTS);
  const rows = await service.database.query(DELIVERIES);
  const wallet = (amount: string) => wallets[(Number(amount) - 100) % WALLETS];
  expect(rows.toSorted((a, b) => String(a['receipt']).localeCompare(String(b['receipt'])))).toEqual(
    book
      .map(({ receipt, amount }) => ({ receipt, amount, wallet: wallet(amount), messages: 1 }))
      .toSorted((a, b) => a.receipt.localeCompare(b.receipt)),
  );
  const statuses = await service.database.query(
    'SELECT status, is_flagged, count(*)::int AS payments FROM services.mpesa_payments GROUP BY 1, 2',
  );
  expect(statuses).toEqual([{ status: 'PAID', is_flagged: false, payments: PAYMENTS }]);
  const [float] = await service.database.query(
    `SELECT sum(balance)::text AS balance FROM core.wallets WHERE core.account_of(id) = 'MPESA-FLOAT'`,
  );
  expect(float?.['balance']).toBe(`-${service.daraja.book().balance}`);
});

test("the money of a till's payment, whose confirmation has no account, ends in the wallet it was asked for, with one message", async () => {
  await using service = await startPaymentService({
    simulator: { till: '512345' },
    account: { till: '512345' },
  });
  await registerUrls(service);
  service.daraja.configure({ behaviour: () => ({ outcome: 'paid', order: 'confirmation-first' }) });
  const wallet = await openCustomerWallet(service.db);
  const { body } = await postPayment(service, { wallet });
  await service.daraja.settled();
  const payment = await untilStatus(service, body['id'], 'paid');
  expect(payment).toMatchObject({ flagged: false });
  expect(eventKinds(payment).at(-1)).toBe('assigned');
  const rows = await service.database.query(
    `SELECT core.account_of(id) AS account, balance::text AS balance FROM core.wallets WHERE balance <> 0`,
  );
  expect(rows).toEqual(expect.arrayContaining([{ account: wallet, balance: '150.00' }]));
  expect(rows.find(({ account }) => account === 'SUSPENSE')).toBeUndefined();
  expect(await service.database.query('SELECT template, status FROM services.sms_logs')).toEqual([
    { template: 'suspense_assigned', status: 'PENDING' },
  ]);
});

test('a payment whose callback never comes is paid by its confirmation, and M-PESA need not be asked', async () => {
  await using service = await startPaymentService();
  await registerUrls(service);
  service.daraja.configure({ behaviour: () => ({ outcome: 'paid', callback: { copies: 0 } }) });
  const wallet = await openCustomerWallet(service.db);
  const { body } = await postPayment(service, { wallet });
  await service.daraja.settled();
  const payment = await untilStatus(service, body['id'], 'paid');
  expect(payment).toMatchObject({ receipt: service.daraja.book().payments[0]?.receipt, flagged: false });
  expect(payment['events']).toContainEqual(expect.objectContaining({ kind: 'paid', reason: 'matched' }));
  expect(service.daraja.requests()['/mpesa/stkpushquery/v1/query']).toBeUndefined();
});
