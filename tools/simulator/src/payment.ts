import type { Random } from './random.ts';
import { receiptFor } from './receipt.ts';

/** A payment as M-PESA knows it, before any message reports it. */
export interface Payment {
  readonly receipt: string;
  readonly paidAt: Date;
  /** KES with two decimals, without grouping. */
  readonly amount: string;
  readonly shortCode: string;
  /** What the payer typed as the account; empty for a till. */
  readonly account: string;
  /** Digits, `2547...`. */
  readonly phone: string;
  readonly firstName: string;
  readonly middleName: string;
  readonly lastName: string;
  /** The organisation's balance after the payment, with two decimals. */
  readonly orgBalance: string;
}

/** Makes up a payment: what is not given is random and plausible. Without a time it is now. */
export function createPayment(random: Random, given: Partial<Payment> = {}): Payment {
  const paidAt = given.paidAt ?? new Date();
  return {
    receipt: receiptFor(paidAt, random),
    paidAt,
    amount: `${String(1 + random.integer(70_000))}.00`,
    shortCode: '600100',
    account: '',
    // Numbers from a block that belongs to nobody: 0700 000 000 to 0700 000 999.
    phone: `254700000${random.text(3, '0123456789')}`,
    firstName: random.pick(['ATIENO', 'BARAKA', 'CHEBET', 'JUMA', 'NJERI', 'WANJIKU']),
    middleName: random.pick(['', 'AKINYI', 'KIPTOO', 'MWENDE']),
    lastName: random.pick(['KAMAU', 'MUTUA', 'OTIENO', 'RONO', 'WAFULA']),
    orgBalance: `${String(random.integer(1_000_000))}.${random.text(2, '0123456789')}`,
    ...given,
  };
}
