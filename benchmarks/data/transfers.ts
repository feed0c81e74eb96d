import { randomUUID } from 'node:crypto';
import type { Transfer } from '@repo/db';
import { createRandom } from '@repo/simulator';
import type { Customer } from './deposits.ts';

/** `pairs`: from any wallet to any other; `hot`: everybody pays the same wallet. */
export const routes = ['pairs', 'hot'] as const;

export type Route = (typeof routes)[number];

/** Transfers that every measurement of a route takes in the same order, starting at the first. */
export interface TransferSupply {
  /** The transfer in this place; made up now if it has not been yet. */
  at(route: Route, place: number): Transfer;
}

/** KES; what every wallet is given before transfers are measured. */
export const FUNDS = '1000000.00';

/** KES; so small beside `FUNDS` that no wallet is ever emptied: it would take ten thousand transfers out of it. */
const LARGEST_AMOUNT = 100;

export function createTransferSupply(customers: readonly Customer[], prebuilt: number): TransferSupply {
  const made: Readonly<Record<Route, Transfer[]>> = { pairs: [], hot: [] };
  const random = createRandom('transfers');
  const [payee] = customers;

  function create(route: Route): Transfer {
    const from = customers[random.integer(customers.length)];
    const to = route === 'hot' ? payee : customers[random.integer(customers.length)];
    if (from === undefined || to === undefined) throw new RangeError('there is nobody to pay');
    // A wallet cannot pay itself.
    if (from === to) return create(route);
    const amount = `${String(1 + random.integer(LARGEST_AMOUNT))}.00`;
    return { from: from.number, to: to.number, amount, idempotencyKey: randomUUID() };
  }

  function at(route: Route, place: number): Transfer {
    for (;;) {
      const transfer = made[route][place];
      if (transfer !== undefined) return transfer;
      made[route].push(create(route));
    }
  }
  if (prebuilt > 0) for (const route of routes) at(route, prebuilt - 1);
  return { at };
}
