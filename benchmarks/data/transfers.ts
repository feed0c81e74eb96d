import { randomUUID } from 'node:crypto';
import { createDb, recordDeposits } from '@repo/db';
import type { Deposit, Transfer } from '@repo/db';
import { createRandom } from '@repo/simulator';
import { BenchmarkError } from '../lib/errors.ts';
import { createSupply } from './payments.ts';
import type { Customer, Supply } from './payments.ts';

/** `pairs`: from any wallet to any other; `hot`: everybody pays the same wallet. */
export const ROUTES = ['pairs', 'hot'] as const;

export type Route = (typeof ROUTES)[number];

export type Transfers = Readonly<Record<Route, Supply<Transfer>>>;

/** KES; what every wallet is given before transfers are measured. */
const FUNDS = '1000000.00';

/** KES; so small beside `FUNDS` that no wallet is ever emptied: it would take ten thousand transfers out of it. */
const LARGEST_AMOUNT = 100;

const FUNDING_BATCH = 1_000;

export function createTransfers(customers: readonly Customer[], prebuilt: number): Transfers {
  const random = createRandom('transfers');
  const [payee] = customers;

  function make(route: Route): Transfer {
    const from = customers[random.integer(customers.length)];
    const to = route === 'hot' ? payee : customers[random.integer(customers.length)];
    if (from === undefined || to === undefined) throw new RangeError('there is nobody to pay');
    // A wallet cannot pay itself.
    if (from === to) return make(route);
    const amount = `${String(1 + random.integer(LARGEST_AMOUNT))}.00`;
    return { from: from.number, to: to.number, amount, idempotencyKey: randomUUID() };
  }
  const supply = (route: Route) => createSupply(() => make(route), prebuilt);
  return { pairs: supply('pairs'), hot: supply('hot') };
}

/** Gives every wallet its funds the way money comes in: by a deposit. */
export async function fundWallets(url: string, customers: readonly Customer[]): Promise<void> {
  const paidAt = new Date();
  const deposits = customers.map(({ number, phone }, place): Deposit => ({
    receipt: `FUND${String(place).padStart(6, '0')}`,
    amount: FUNDS,
    shortCode: '600000',
    account: number,
    paidAt,
    payer: { phone, phoneHash: null, name: null },
    callback: { kind: 'API', source: null, body: Buffer.from('{}'), payload: null },
  }));
  const db = createDb({ url });
  try {
    for (let first = 0; first < deposits.length; first += FUNDING_BATCH) {
      const results = await recordDeposits(db, deposits.slice(first, first + FUNDING_BATCH));
      const odd = results.find(({ outcome }) => outcome !== 'credited');
      if (odd !== undefined) throw new BenchmarkError('not_credited', `it is ${odd.outcome}.`);
    }
  } finally {
    await db.close();
  }
}
