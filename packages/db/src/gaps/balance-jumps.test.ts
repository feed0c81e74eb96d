import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findBalanceJumps } from './balance-jumps.ts';
import type { BalancedPayment } from './balance-jumps.ts';

const NOON = Date.UTC(2026, 10, 27, 9);

/** Payments in their order, with the balances that M-PESA would tell, of an organisation that began with 1,000.00. */
function bookOf(steps: readonly { readonly cents: number; readonly gapS: number }[]): BalancedPayment[] {
  let balance = 100_000n;
  let atMs = NOON;
  return steps.map(({ cents, gapS }, index) => {
    balance += BigInt(cents);
    atMs += gapS * 1_000;
    const receipt = `TKR${String(index).padStart(7, '0')}`;
    return { receipt, atMs, cents: BigInt(cents), balance };
  });
}

const STEPS = fc.array(
  fc.record({
    cents: fc.integer({ min: 1, max: 20_000 }),
    // Most of a busy hour's payments share their second with another one.
    gapS: fc.constantFrom(0, 0, 0, 1, 5, 60, 3_600),
  }),
  { minLength: 1, maxLength: 30 },
);

const shuffledBook = STEPS.chain((steps) =>
  fc.record({
    book: fc.constant(bookOf(steps)),
    order: fc.shuffledSubarray(
      steps.map((_, index) => index),
      { minLength: steps.length },
    ),
  }),
);

describe('the balances of a short code', () => {
  test('tell of no gap where every payment is there, in whatever order they came', () => {
    fc.assert(
      fc.property(shuffledBook, ({ book, order }) => {
        const come = order.flatMap((index) => book[index] ?? []);
        expect(findBalanceJumps(come)).toEqual([]);
      }),
    );
  });

  test('tell of exactly the sum that is missing between the two payments around it', () => {
    fc.assert(
      fc.property(STEPS, fc.nat(), fc.nat(), (steps, at, many) => {
        const book = bookOf(steps.map(({ cents }) => ({ cents, gapS: 60 })));
        const start = 1 + (at % book.length);
        const missing = book.slice(start, start + 1 + (many % 3));
        const rest = book.filter((each) => !missing.includes(each));
        const [after, before] = [rest[start - 1], rest[start]];
        // What is missed last has nothing behind it that could tell.
        const expected =
          missing.length === 0 || before === undefined
            ? []
            : [{ after, before, missing: missing.reduce((sum, { cents }) => sum + cents, 0n) }];
        expect(findBalanceJumps(rest)).toEqual(expected);
      }),
    );
  });

  test('tell of a missing payment also in a second that has others', () => {
    const book = bookOf([100, 200, 300, 400].map((cents) => ({ cents, gapS: 0 })));
    const [first, , third, fourth] = book;
    const rest = [fourth, first, third].flatMap((each) => each ?? []);
    expect(findBalanceJumps(rest)).toEqual([{ after: first, before: third, missing: 200n }]);
  });

  test('tell of nothing for payments whose message had no balance: their amounts are known', () => {
    fc.assert(
      fc.property(STEPS, fc.infiniteStream(fc.boolean()), (steps, isSilent) => {
        const book = bookOf(steps.map(({ cents }) => ({ cents, gapS: 60 }))).map((each) =>
          isSilent.next().value === true ? { ...each, balance: null } : each,
        );
        expect(findBalanceJumps(book)).toEqual([]);
      }),
    );
  });

  test('tell of nothing for a few payments of one second, whichever of them have no balance', () => {
    const steps = fc.array(fc.record({ cents: fc.integer({ min: 1, max: 900 }), gapS: fc.constant(0) }), {
      minLength: 1,
      maxLength: 8,
    });
    const silentOnes = fc.array(fc.boolean(), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(steps, silentOnes, (all, isSilent) => {
        const book = bookOf(all).map((each, index) => (isSilent[index] ? { ...each, balance: null } : each));
        expect(findBalanceJumps(book)).toEqual([]);
      }),
    );
  });

  test('tell of what a payment without a balance does not explain', () => {
    const [first, second, third] = bookOf([100, 500, 300].map((cents) => ({ cents, gapS: 60 })));
    if (first === undefined || second === undefined || third === undefined) throw new Error('three');
    const silent = { ...second, cents: 200n, balance: null };
    expect(findBalanceJumps([first, silent, third])).toEqual([
      { after: first, before: third, missing: 300n },
    ]);
  });

  test('tell of nothing when money went out: sweeps and charges send no message', () => {
    const book = bookOf([100, 200, 300].map((cents) => ({ cents, gapS: 60 })));
    const swept = book.map((each, index) => ({
      ...each,
      balance: index < 2 ? each.balance : each.cents,
    }));
    expect(findBalanceJumps(swept)).toEqual([]);
  });
});
