import fc from 'fast-check';
import type { BookEntry, FileStyle } from './statement-file.ts';

/** As M-PESA numbers the payments of the days before: with digits behind the date, and without. */
const RECEIPT = fc.oneof(fc.stringMatching(/^UB[A-S][A-Z0-9]{7}$/), fc.stringMatching(/^UB[A-S][A-Z]{7}$/));
const DAY_MS = 86_400_000;

/** A day of postings in the order of time: payments, each with its charge, and what else happens on a day. */
export function books({ day = Date.UTC(2026, 2, 1) }: { readonly day?: number } = {}): fc.Arbitrary<
  BookEntry[]
> {
  const entry = fc.record({
    receipt: RECEIPT,
    at: fc.integer({ min: 0, max: DAY_MS / 1000 - 1 }).map((second) => day + second * 1000),
    what: fc.constantFrom('payment', 'payment', 'payment', 'charge', 'sweep', 'failed', 'payout'),
    cents: fc.bigInt({ min: 1n, max: 25_000_000n }),
    account: fc.constantFrom('4412098848', 'GV A2', 'bob shop', ''),
  });
  return fc
    .uniqueArray(entry, { selector: ({ receipt }) => receipt, minLength: 1, maxLength: 30 })
    .map((entries) => entries.toSorted((a, b) => a.at - b.at))
    .map((entries) =>
      // M-PESA takes the charge under the receipt of the payment.
      entries.flatMap((each): BookEntry[] =>
        each.what === 'payment' ? [each, { ...each, what: 'charge', cents: each.cents / 100n + 1n }] : [each],
      ),
    );
}

/** Every way in which files differ. */
export function styles(): fc.Arbitrary<FileStyle> {
  return fc.record({
    form: fc.constantFrom('A', 'B', 'C'),
    file: fc.constantFrom('csv', 'xlsx', 'xlsx-shared'),
    opening: fc.bigInt({ min: 0n, max: 1_000_000_000n }),
    first: fc.constantFrom('newest', 'oldest'),
    dates: fc.constantFrom('dashes', 'slashes', 'iso', 'serial'),
    empty: fc.constantFrom('', '0', '0.00'),
    isGrouped: fc.boolean(),
    isSigned: fc.boolean(),
    isLowerCase: fc.boolean(),
    hasNoise: fc.boolean(),
    hasPreamble: fc.boolean(),
    lineEnd: fc.constantFrom('\r\n', '\n'),
    separator: fc.constantFrom(',', ';', '\t'),
    hasByteOrderMark: fc.boolean(),
    isTurned: fc.boolean(),
  });
}
