/**
 * What a line is. payment: money from a customer. charge: M-PESA's fee, or one that it gives back. sweep: money that moves
 * between accounts of the organisation, to its bank, or to a lender by standing arrangement. reversal: a transaction that
 * was undone at M-PESA. payout: money to somebody else. other: no money.
 */
export type LineKind = 'payment' | 'charge' | 'sweep' | 'reversal' | 'payout' | 'other';

interface LineWords {
  readonly details: string;
  /** Reason Type or Transaction Type; empty where the form has none. */
  readonly reason: string;
  readonly paidIn: bigint;
  readonly withdrawn: bigint;
}

const OWN_ACCOUNTS = /settle|\bMMF\b|\baccount to\b.*\baccount\b/i;
const OUT_OF_MPESA = /\bto bank\b|\bfunds to\b|overdraft|\bOD payment\b|\bto (?:bank|own) account\b/i;

/**
 * Reads the kind from the side of the money and from the words of the transaction. Names of people and firms are not
 * looked at: a payment from "SETTLEMENT TRADERS" is a payment.
 */
export function kindOf({ details, reason, paidIn, withdrawn }: LineWords): LineKind {
  const what = details.split(/\s(?:from|to)\s+[\d*+]|\s-\s/i)[0] ?? '';
  // The reason of a charge is often that of the payment that it is for; the details say which of the two the line is.
  if (/\bcharges?\b|\btariff\b/i.test(what)) return 'charge';
  if (/revers/i.test(what) || /revers/i.test(reason)) return 'reversal';
  if (withdrawn > 0n) {
    if (/\bcharges?\b/i.test(reason)) return 'charge';
    const isSweep = [what, reason].some((text) => OWN_ACCOUNTS.test(text) || OUT_OF_MPESA.test(text));
    return isSweep ? 'sweep' : 'payout';
  }
  if (paidIn === 0n) return 'other';
  return [what, reason].some((text) => OWN_ACCOUNTS.test(text)) ? 'sweep' : 'payment';
}
