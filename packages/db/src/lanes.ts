import { hash } from 'node:crypto';

/** How many lanes there are: each wallet has one, by its number, and wallets of different lanes share no lock. */
export const LANES = 16;

/** The accounts of the house. Each is one account to people and one wallet for each lane to the database. */
export const SYSTEM_ACCOUNTS = ['MPESA-FLOAT', 'SUSPENSE', 'FEES'] as const;

export type SystemAccount = (typeof SYSTEM_ACCOUNTS)[number];

const STRIPE = /^(MPESA-FLOAT|SUSPENSE|FEES)(?:\.([1-9]|1[0-5]))?$/;

/** The lane of a wallet number, 0 to 15, as core.lane_of has it: of its SHA-256, or by the name of a stripe. */
export function laneOf(number: string): number {
  const stripe = STRIPE.exec(number);
  if (stripe !== null) return Number(stripe[2] ?? 0);
  return (hash('sha256', number, 'buffer')[0] ?? 0) & (LANES - 1);
}

/** The wallet in which an account of the house keeps the money of a lane, as core.stripe_of has it. */
export function stripeOf(account: SystemAccount, lane: number): string {
  return lane === 0 ? account : `${account}.${lane}`;
}

/** What people call the account of a wallet, as core.account_of has it. */
export function accountOf(wallet: string): string {
  return STRIPE.exec(wallet)?.[1] ?? wallet;
}
