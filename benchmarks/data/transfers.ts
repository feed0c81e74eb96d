import { randomUUID } from 'node:crypto';
import type { Transfer } from '@repo/db';
import { createRandom } from '@repo/simulator';
import type { Customer } from './payments.ts';
import { createSupply } from './supply.ts';
import type { Supply } from './supply.ts';

/** `pairs`: from any wallet to any other; `hot`: everybody pays the same wallet. */
export const ROUTES = ['pairs', 'hot'] as const;

export type Route = (typeof ROUTES)[number];

export type Transfers = Readonly<Record<Route, Supply<Transfer>>>;

/** KES; what every wallet is given before transfers are measured. */
export const FUNDS = '1000000.00';

/** KES; so small beside `FUNDS` that no wallet is ever emptied: it would take ten thousand transfers out of it. */
const LARGEST_AMOUNT = 100;

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
