import { startDaraja } from '@repo/simulator';
import type { DarajaOptions, DarajaSimulator } from '@repo/simulator';
import { createDepositIntake } from '@repo/db';
import { until } from '@repo/testing/until';
import { expect, it } from 'vitest';
import { c2bUrls } from '../commands/settings.ts';
import { createDaraja } from '../daraja/client.ts';
import type { Daraja } from '../daraja/client.ts';
import { accountAt } from '../payments/testing.ts';
import { getDeposit, openCustomerWallet, startTestService, TEST_KEY, TEST_TOKEN } from '../testing.ts';
import type { TestService } from '../testing.ts';
import { pullPayments, REACH_MS } from './pull-payments.ts';
import type { MissingPayment, Pulled } from './pull-payments.ts';

/** A service to which a simulated M-PESA reports payments that are ten minutes old. */
async function start(options: DarajaOptions = {}, settings: { readonly pullMinutes?: number } = {}) {
  const daraja = await startDaraja({ now: () => new Date(Date.now() - 600_000), ...options });
  const service = await startTestService(settings, { daraja: accountAt(daraja) });
  const client = createDaraja(service.db, accountAt(daraja));
  const urls = c2bUrls(service.url, TEST_TOKEN);
  await client.registerUrls({ shortCode: daraja.shortCode, responseType: 'Completed', ...urls });
  await client.registerPull({
    shortCode: daraja.shortCode,
    nominatedNumber: '0700000126',
    callbackUrl: urls.confirmationUrl,
  });
  return {
    daraja,
    service,
    client,
    wallet: await openCustomerWallet(service.db),
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await service[Symbol.asyncDispose]();
      await daraja.close();
    },
  };
}

async function pull(
  { service, client, daraja }: { service: TestService; client: Daraja; daraja: DarajaSimulator },
  { heals = true } = {},
): Promise<Extract<Pulled, { kind: 'pulled' }>> {
  const intake = heals ? createDepositIntake(service.db) : null;
  const to = new Date();
  const order = { shortCode: daraja.shortCode, receiver: daraja.shortCode, to, intake };
  const pulled = await pullPayments(
    { db: service.db, daraja: client },
    { ...order, from: new Date(to.getTime() - REACH_MS) },
  );
  await intake?.close();
  if (pulled.kind === 'failed') throw new Error(`not pulled: ${pulled.code}`);
  return pulled;
}

async function gapsOf({ url }: TestService, query = ''): Promise<Record<string, unknown>[]> {
  const response = await fetch(`${url}/gaps${query}`, { headers: { authorization: `Bearer ${TEST_KEY}` } });
  return ((await response.json()) as { items: Record<string, unknown>[] }).items;
}

async function balanceOf({ database }: TestService, wallet: string): Promise<unknown> {
  const [row] = await database.query(
    `SELECT balance::text AS balance FROM core.wallets WHERE id = '${wallet}'`,
  );
  return row?.['balance'];
}

const DROPPED = { copies: 0 } as const;

it('a confirmation that never came shows in the balances until the payment is pulled', async () => {
  await using mpesa = await start();
  const { daraja, service, wallet } = mpesa;
  await daraja.pay({ account: wallet, amount: '100' });
  await daraja.pay({ account: wallet, amount: '40', confirmation: DROPPED });
  await daraja.pay({ account: wallet, amount: '7' });
  await daraja.settled();
  const [first, missed, third] = daraja.book().payments.map(({ receipt }) => receipt);
  expect(await gapsOf(service)).toMatchObject([
    { kind: 'balance_jump', shortCode: daraja.shortCode, amount: '40.00', receipts: [first, third] },
  ]);
  expect(await pull(mpesa, { heals: false })).toMatchObject({
    rows: 3,
    missing: [{ receipt: missed, amount: '40.00', outcome: null }],
  });
  expect(await balanceOf(service, wallet)).toBe('107.00');
  expect(await pull(mpesa)).toMatchObject({ missing: [{ receipt: missed, outcome: 'credited' }] });
  expect(await balanceOf(service, wallet)).toBe('147.00');
  expect(await gapsOf(service)).toMatchObject([
    { kind: 'missed_callback', amount: '40.00', receipts: [missed] },
  ]);
  // What is recorded is not pulled again.
  expect((await pull(mpesa)).missing).toEqual([]);
});

it('a pulled payment is credited once, also when others pull it at once and its confirmation comes later', async () => {
  await using mpesa = await start();
  const { daraja, service, wallet } = mpesa;
  const paying = daraja.pay({ account: wallet, amount: '250', confirmation: { isHeld: true } });
  await until('the payment', () => daraja.book().payments.length, { isFit: (count) => count === 1 });
  const pulled = await Promise.all([pull(mpesa), pull(mpesa), pull(mpesa)]);
  const outcomes = pulled.flatMap(({ missing }) => missing.map(({ outcome }: MissingPayment) => outcome));
  expect(outcomes.filter((outcome) => outcome === 'credited')).toHaveLength(1);
  await daraja.settled();
  await paying;
  const [payment] = daraja.book().payments;
  expect(payment?.events).toMatchObject([{ kind: 'confirmation', answers: [200] }]);
  expect(await balanceOf(service, wallet)).toBe('250.00');
  const deposit = (await (await getDeposit(service, payment?.receipt ?? '')).json()) as {
    callbacks: { kind: string; outcome: string }[];
  };
  expect(deposit.callbacks.filter(({ outcome }) => outcome === 'credited')).toMatchObject([{ kind: 'pull' }]);
  expect(deposit.callbacks).toContainEqual(
    expect.objectContaining({ kind: 'c2b_confirmation', outcome: 'duplicate' }),
  );
  // Its callback did come.
  expect(await gapsOf(service)).toEqual([]);
});

it.each(['utc', 'eat'] as const)(
  'pulled times are read rightly when M-PESA writes them in %s',
  async (pullClock) => {
    await using mpesa = await start({ pullClock, nuisances: { vary: 5_000 } });
    const { daraja, wallet } = mpesa;
    await daraja.pay({ account: wallet, amount: '1', confirmation: DROPPED });
    await daraja.settled();
    const { missing } = await pull(mpesa, { heals: false });
    const [payment] = daraja.book().payments;
    const paidAt = new Date(Math.floor((payment?.paidAt.getTime() ?? 0) / 1_000) * 1_000);
    expect(missing).toMatchObject([{ receipt: payment?.receipt, paidAt }]);
  },
);

it('all pages are pulled', async () => {
  await using mpesa = await start();
  const { daraja, service, wallet } = mpesa;
  for (let count = 1; count <= 130; count += 1) {
    await daraja.pay({ account: wallet, amount: String(count), confirmation: DROPPED });
  }
  const { rows, missing } = await pull(mpesa);
  expect([rows, missing.length]).toEqual([130, 130]);
  expect(await balanceOf(service, wallet)).toBe(`${String((130 * 131) / 2)}.00`);
});

it('the service pulls by itself where that is set, and counts what it finds', async () => {
  await using mpesa = await start({}, { pullMinutes: 0.001 });
  const { daraja, service, wallet } = mpesa;
  await daraja.pay({ account: wallet, amount: '60', confirmation: DROPPED });
  await until('the money', () => balanceOf(service, wallet), { isFit: (balance) => balance === '60.00' });
  const metrics = async () =>
    (await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${TEST_KEY}` } })).text();
  await until('the gap in the metrics', metrics, {
    isFit: (text) => /^mpesa_gaps\{kind="missed_callback".*\} 1$/m.test(text),
    show: (text) => text.split('\n').filter((line) => line.startsWith('mpesa_gaps')),
  });
  expect(await metrics()).toMatch(/^mpesa_pulled_payments_total\{outcome="credited".*\} 1$/m);
});

it('a short code that nobody registered is a failure that says so', async () => {
  await using daraja = await startDaraja();
  await using service = await startTestService({}, { daraja: accountAt(daraja) });
  const client = createDaraja(service.db, accountAt(daraja));
  const to = new Date();
  const order = {
    shortCode: '600100',
    receiver: '600100',
    from: new Date(to.getTime() - 1_000),
    to,
    intake: null,
  };
  expect(await pullPayments({ db: service.db, daraja: client }, order)).toEqual({
    kind: 'failed',
    code: '400.002.02',
    text: expect.stringContaining('ShortCode') as string,
  });
  await client.close();
});

it('the list of gaps is paged, filtered and given as CSV', async () => {
  await using mpesa = await start();
  const { daraja, service, wallet } = mpesa;
  for (const amount of ['10', '20', '30']) {
    await daraja.pay({ account: wallet, amount, confirmation: DROPPED });
    await daraja.pay({ account: wallet, amount: '1' });
  }
  await pull(mpesa);
  const get = (query: string, accept = 'application/json') =>
    fetch(`${service.url}/gaps?${query}`, { headers: { authorization: `Bearer ${TEST_KEY}`, accept } });
  const seen: unknown[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const next: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = (await (await get(`limit=1${next}`)).json()) as {
      items: { receipts: string[] }[];
      nextCursor: string | null;
    };
    seen.push(...page.items.map(({ receipts }) => receipts[0]));
    cursor = page.nextCursor;
  }
  const dropped = daraja
    .book()
    .payments.flatMap(({ receipt, events }) => (events[0]?.copies === 0 ? [receipt] : []));
  expect(new Set(seen)).toEqual(new Set(dropped));
  expect(seen).toHaveLength(dropped.length);
  expect(await gapsOf(service, '?kind=balance_jump')).toEqual([]);
  expect(await gapsOf(service, '?shortCode=600999')).toEqual([]);
  expect((await get('from=2026-01-01&to=2026-02-01')).status).toBe(422);
  expect(await (await get('limit=1', 'text/csv')).text()).toMatch(
    /^kind,shortCode,.*\r\nmissed_callback,600100,/,
  );
});
