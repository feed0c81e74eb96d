import { randomInt } from 'node:crypto';

// Damm's quasigroup of order ten: the next state for a state (row) and a digit (column).
const DAMM = [
  '0317598642',
  '7092154863',
  '4206871359',
  '1750983426',
  '6123045978',
  '3674209581',
  '5869720134',
  '8945362017',
  '9438617205',
  '2581436790',
];

/** A new wallet number: ten digits that a payer types on a keypad, no leading zero, random, the last a check digit. */
export function newWalletNumber(): string {
  const digits = String(randomInt(100_000_000, 1_000_000_000));
  // In Damm's scheme the state after the digits is the check digit.
  return digits + String(dammState(digits));
}

/** Whether a number can be one of ours. A wrong digit, or two neighbours swapped, is always found out. */
export function hasCheckDigit(number: string): boolean {
  return /^[1-9]\d{9}$/.test(number) && dammState(number) === 0;
}

function dammState(digits: string): number {
  let state = 0;
  for (const digit of digits) state = Number(DAMM[state]?.[Number(digit)]);
  return state;
}
