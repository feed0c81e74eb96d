import { createDb, recordDeposits } from '@repo/db';
import type { Deposit } from '@repo/db';
import type { Customer } from './payments.ts';
import { BenchmarkError } from '../lib/errors.ts';
import { FUNDS } from './transfers.ts';

const BATCH = 1_000;

/** Gives every wallet its funds the way money comes in: by a deposit. */
export async function fundWallets(url: string, customers: readonly Customer[]): Promise<void> {
  const db = createDb({ url });
  const paidAt = new Date();
  try {
    for (let first = 0; first < customers.length; first += BATCH) {
      const deposits = customers
        .slice(first, first + BATCH)
        .map((customer, offset) => fundingOf(customer, first + offset, paidAt));
      const results = await recordDeposits(db, deposits);
      const odd = results.find(({ outcome }) => outcome !== 'credited');
      if (odd !== undefined) throw new BenchmarkError('not_credited', `it is ${odd.outcome}.`);
    }
  } finally {
    await db.close();
  }
}

function fundingOf({ number, phone }: Customer, place: number, paidAt: Date): Deposit {
  return {
    receipt: `FUND${String(place).padStart(6, '0')}`,
    amount: FUNDS,
    shortCode: '600000',
    account: number,
    paidAt,
    payer: { phone, phoneHash: null, name: null },
    callback: { kind: 'API', source: null, body: Buffer.from('{}'), payload: null },
  };
}
