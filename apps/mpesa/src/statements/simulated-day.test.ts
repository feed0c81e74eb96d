import { closePeriod, importStatement, lookupWallet, reconcile } from '@repo/db';
import { startDaraja } from '@repo/simulator';
import type { DarajaSimulator } from '@repo/simulator';
import { temporaryFile } from '@repo/testing/temporary-file';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCustomerWallet, startTestService, TEST_TOKEN } from '../testing.ts';
import type { TestService } from '../testing.ts';

const DAY = { from: new Date('2026-02-28T21:00:00Z'), to: new Date('2026-03-01T21:00:00Z') };
const PAYMENTS = 60;

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

/** An M-PESA that charges, and forgets many of its callbacks; each question about its clock moves it by seconds. */
async function startMpesa(shortCode: string): Promise<DarajaSimulator> {
  const callbacks = `${service.url}/c2b/${TEST_TOKEN}`;
  let seconds = 0;
  return startDaraja({
    seed: shortCode,
    shortCode,
    charge: 55,
    nuisances: { drop: 3_000, duplicate: 2_000, reorder: 2_000 },
    urls: {
      confirmationUrl: `${callbacks}/confirmation`,
      validationUrl: `${callbacks}/validation`,
      responseType: 'Completed',
      version: 2,
    },
    now: () => new Date(DAY.from.getTime() + (seconds += 7) * 1_000),
  });
}

/** Payments to a wallet and to nobody, payments that fail, two sweeps, and payments that M-PESA takes back. */
async function playDay(daraja: DarajaSimulator, wallet: string): Promise<void> {
  for (let count = 1; count <= PAYMENTS; count += 1) {
    const amount = `${String(count * 13)}.${String(count % 100).padStart(2, '0')}`;
    const account = count % 5 === 0 ? 'nobody' : wallet;
    const paid = await daraja.pay({ account, amount, fails: count % 9 === 0 });
    if (count % 12 === 0 && paid.isPaid) daraja.reverse(paid.payment.receipt);
    if (count % 25 === 0) await daraja.sweep({ amount: '500.00' });
  }
  await daraja.settled();
}

async function balanceOf(wallet: string): Promise<bigint> {
  const { balance = '' } = (await lookupWallet(service.db, wallet)) ?? {};
  return BigInt(balance.replace('.', ''));
}

/** What the book says the wallet must have: what was paid to it and not taken back. */
function dueTo(daraja: DarajaSimulator, wallet: string): bigint {
  return daraja
    .book()
    .payments.filter(({ account }) => account === wallet)
    .reduce((sum, { kind, amount }) => {
      const cents = BigInt(amount.replace('.', ''));
      return kind === 'reversal' ? sum - cents : sum + cents;
    }, 0n);
}

const STYLES = [
  { form: 'A', file: 'csv', shortCode: '610001' },
  { form: 'A', file: 'xlsx', shortCode: '610002' },
  { form: 'B', file: 'csv', shortCode: '610003' },
  { form: 'B', file: 'xlsx-shared', shortCode: '610004' },
  { form: 'C', file: 'csv', shortCode: '610005' },
  { form: 'C', file: 'xlsx', shortCode: '610006' },
] as const;

test.each(STYLES)(
  'a day with lost callbacks, imported in form $form as $file and healed, is the book to the cent, and is closed',
  async ({ form, file, shortCode }) => {
    await using daraja = await startMpesa(shortCode);
    const wallet = await openCustomerWallet(service.db);
    await playDay(daraja, wallet);
    const book = daraja.book();
    const lost = book.payments.filter(
      ({ kind, events }) => kind === 'c2b' && events.every(({ copies }) => copies === 0),
    );
    expect(lost.length).toBeGreaterThan(0);
    await using statement = await temporaryFile(await daraja.statement({ form, file }));
    await importStatement(service.db, statement.path, { shortCode });

    const period = { shortCode, ...DAY };
    const takenBack = new Set(book.payments.map(({ reverses }) => reverses));
    const healable = lost.filter(({ receipt }) => !takenBack.has(receipt));
    const first = await reconcile(service.db, { ...period, heal: true });
    expect(first.healed).toBe(healable.length);
    expect(first.report.breaks).toEqual([]);
    expect(first.report.controls).toMatchObject({
      difference: '0.00',
      period: {
        opening: '0.00',
        closing: book.balance,
        float: book.balance,
        floatDifference: '0.00',
        difference: '0.00',
      },
    });
    expect(await balanceOf(wallet)).toBe(dueTo(daraja, wallet));

    const second = await reconcile(service.db, { ...period, heal: true });
    expect({ healed: second.healed, posted: second.posted }).toEqual({ healed: 0, posted: 0 });
    expect(second.text).toBe(first.text);
    expect(await closePeriod(service.db, period)).toMatchObject({
      closingBalance: book.balance,
      float: book.balance,
      reconciliationId: first.report.id,
    });
  },
);
