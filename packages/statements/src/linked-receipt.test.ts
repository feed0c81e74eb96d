import { expect, it } from 'vitest';
import { receiptIn } from './linked-receipt.ts';

const OWN = 'UC15P1KAF8';
/** The first of March 2026 in East Africa Time, an hour after midnight. */
const AT = Date.UTC(2026, 1, 28, 22);

const find = (details: string) => receiptIn(details, OWN, AT);

it.each([
  ['Reversal of UB15P1KAF6', 'UB15P1KAF6'],
  ['Reversal of ub15p1kaf6 by UC15P1KAF8', 'UB15P1KAF6'],
  ['Transaction Reversal: UBSKLMNOPQ', 'UBSKLMNOPQ'],
  ['Pay Bill reversed, original transaction no. TDAKLMNOPQ', 'TDAKLMNOPQ'],
  ['Reversal of receipt # UBSKLMNOPQ to 25470****111 - SETTLEMENT', 'UBSKLMNOPQ'],
  // What has a digit can be nothing else.
  ['Reversal for SETTLEMENT, see UB15P1KAF6', 'UB15P1KAF6'],
])('%j names %s', (details, receipt) => {
  expect(find(details)).toBe(receipt);
});

it.each([
  ['a word of ten letters whose day is years ago', 'Reversal of SETTLEMENT'],
  ['a word whose day is tomorrow', 'Reversal of UCCKLMNOPQ'],
  ['a word whose letters are no day', 'Reversal of UZZKLMNOPQ'],
  ['a day that is more than a year ago', 'Reversal of TBRKLMNOPQ'],
  ['a name where no number stands', 'Reversal to 25470****111 - UBSKLMNOPQ'],
  ['small letters', 'Reversal of ubsklmnopq'],
  ['its own receipt', `Reversal ${OWN}`],
  ['ten digits', 'Reversal of 0700000126'],
])('%s is no receipt: %s', (_what, details) => {
  expect(find(details)).toBeNull();
});
