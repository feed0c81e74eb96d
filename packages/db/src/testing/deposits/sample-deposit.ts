import type { Deposit, DepositCallback } from '../../deposits/deposit.ts';

/** What a test may say of a deposit; the rest is ordinary. */
export interface DepositFacts {
  readonly receipt?: string;
  readonly amount?: string;
  readonly shortCode?: string;
  readonly account?: string;
  readonly paidAt?: Date;
  readonly phone?: string | null;
  readonly phoneHash?: string | null;
  readonly name?: string | null;
  readonly kind?: DepositCallback['kind'];
  readonly source?: string | null;
  readonly body?: Uint8Array;
  readonly payload?: string | null;
}

let count = 0;

/** A receipt that no other deposit of this process has: ten capitals and digits, as M-PESA's are. */
export function newReceipt(): string {
  count += 1;
  return `T${count.toString(36).toUpperCase().padStart(9, '0')}`;
}

export function sampleDeposit(facts: DepositFacts = {}): Deposit {
  const receipt = facts.receipt ?? newReceipt();
  const amount = facts.amount ?? '150.00';
  return {
    receipt,
    amount,
    shortCode: facts.shortCode ?? '600123',
    account: facts.account ?? '',
    paidAt: facts.paidAt ?? new Date('2026-03-01T06:30:00.000Z'),
    payer: {
      phone: facts.phone === undefined ? '254700000001' : facts.phone,
      phoneHash: facts.phoneHash ?? null,
      name: facts.name === undefined ? 'Atieno' : facts.name,
    },
    callback: {
      kind: facts.kind ?? 'C2B_CONFIRMATION',
      source: facts.source === undefined ? '196.201.214.200' : facts.source,
      body: facts.body ?? Buffer.from(JSON.stringify({ TransID: receipt, TransAmount: amount })),
      payload: facts.payload ?? null,
    },
  };
}
