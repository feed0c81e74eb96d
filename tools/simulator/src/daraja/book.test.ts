import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRandom } from '../random.ts';
import { openBook } from './book.ts';
import { centsOf, shillingsOf } from './cents.ts';
import type { DarajaSimulator } from './server.ts';
import { startDaraja } from './server.ts';
import type { Nuisances } from './settings.ts';
import { push, startForTest, startService, urlsOf } from './testing.ts';
import type { TakingService } from './testing.ts';

const KINDS = ['c2b', 'stk', 'sweep', 'reversal'] as const;

const movements = fc.array(
  fc.record({ kind: fc.constantFrom(...KINDS), cents: fc.bigInt({ min: 0n, max: 10n ** 12n }) }),
);

function movementOf({ kind, cents }: { kind: (typeof KINDS)[number]; cents: bigint }) {
  const facts = { shortCode: '600100', account: '', phone: '', checkoutRequestId: null, reverses: null };
  return { ...facts, kind, amount: shillingsOf(cents), paidAt: new Date('2026-11-27T09:00:00Z') };
}

test('shillings and cents are the same money', () => {
  fc.assert(fc.property(fc.bigInt({ min: 0n }), (cents) => centsOf(shillingsOf(cents)) === cents));
  expect([shillingsOf(-5n), centsOf('12'), centsOf('1.5')]).toEqual(['-0.05', 1_200n, 150n]);
  expect(() => centsOf('1.555')).toThrow(RangeError);
});

test('the balance is the opening and what came in less what went out, after each movement', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 9n }), movements, (opening, all) => {
      const book = openBook(shillingsOf(opening));
      let balance = opening;
      for (const each of all) {
        balance += each.kind === 'c2b' || each.kind === 'stk' ? each.cents : -each.cents;
        const { balance: shown } = book.move(movementOf(each), createRandom(String(balance)));
        expect(shown).toBe(shillingsOf(balance));
      }
      const { paidIn, paidOut, payments } = book.summary();
      expect(book.balance).toBe(balance);
      const wentOut = payments.filter(({ kind }) => kind === 'sweep' || kind === 'reversal');
      const sum = (of: readonly { amount: string }[]) =>
        of.reduce((total, { amount }) => total + centsOf(amount), 0n);
      expect(centsOf(paidOut)).toBe(sum(wentOut));
      expect(centsOf(paidIn)).toBe(sum(payments) - sum(wentOut));
    }),
  );
});

test('no receipt is given twice, however alike the chances are', () => {
  const book = openBook('0');
  const movement = movementOf({ kind: 'c2b', cents: 1n });
  for (let count = 0; count < 5; count += 1) book.move(movement, createRandom('the same'));
  expect(new Set(book.payments.map(({ receipt }) => receipt)).size).toBe(5);
});

const EVERY_NUISANCE: Nuisances = {
  drop: 1_500,
  duplicate: 2_000,
  reorder: 2_000,
  delay: 500,
  mostDelayMs: 3,
  mutate: 1_000,
  vary: 5_000,
};

/** A short day: payments by menu and by prompt, with every nuisance. */
async function playDay(daraja: DarajaSimulator, service: TakingService): Promise<void> {
  for (let count = 0; count < 40; count += 1) {
    await daraja.pay({ account: '1000000009', amount: String(count + 1) });
    if (count % 8 === 0) {
      await push(daraja, service, { Amount: count + 1 });
      await daraja.settled();
    }
    if (count % 20 === 19) await daraja.sweep();
  }
  await daraja.settled();
}

async function dayOf(seed: string) {
  const service = await startService();
  const daraja = await startForTest({
    seed,
    urls: urlsOf(service),
    shape: 'mixed',
    nuisances: EVERY_NUISANCE,
    now: () => new Date('2026-11-27T09:00:00Z'),
    behaviour: ({ amount }) => ({
      outcome: Number(amount) % 2 === 0 ? 'cancelled' : 'paid',
      order: 'callback-first',
    }),
  });
  await playDay(daraja, service);
  return { book: daraja.book(), prompts: daraja.prompts(), bodies: service.bodies().toSorted() };
}

test('the same seed gives the same receipts, nuisances, messages and book; another seed another one', async () => {
  const [first, again, other] = [await dayOf('one'), await dayOf('one'), await dayOf('two')];
  expect(again.book).toEqual(first.book);
  expect(again.bodies).toEqual(first.bodies);
  expect(again.prompts.map(({ outcome, receipts }) => [outcome, receipts])).toEqual(
    first.prompts.map(({ outcome, receipts }) => [outcome, receipts]),
  );
  const receiptsOf = ({ book }: typeof first) => book.payments.map(({ receipt }) => receipt);
  expect(receiptsOf(other).filter((receipt) => receiptsOf(first).includes(receipt))).toEqual([]);
  const events = first.book.payments.flatMap((payment) => payment.events);
  expect(events.some(({ copies }) => copies === 0)).toBe(true);
  expect(events.some(({ copies }) => copies === 2)).toBe(true);
  expect(events.some(({ isHeld }) => isHeld)).toBe(true);
  expect(events.some(({ isMutated }) => isMutated)).toBe(true);
});

test('payments in another order have the same receipts and fates', async () => {
  const amounts = Array.from({ length: 30 }, (_each, at) => String(at + 1));
  const play = async (order: readonly string[]) => {
    await using daraja = await startDaraja({
      nuisances: EVERY_NUISANCE,
      now: () => new Date('2026-11-27T09:00:00Z'),
    });
    await Promise.all(order.map((amount) => daraja.pay({ account: '1', amount })));
    await daraja.settled();
    const sorted = daraja.book().payments.toSorted((one, two) => Number(one.amount) - Number(two.amount));
    return sorted.map(({ receipt, phone, events }) => ({ receipt, phone, events }));
  };
  expect(await play(amounts.toReversed())).toEqual(await play(amounts));
});
