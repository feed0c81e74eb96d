import { newWalletNumber } from '@repo/db';
import type { Deposit } from '@repo/db';
import { confirmationOf, createPayment, createRandom } from '@repo/simulator';

/** What of a wallet matters here: where payments go, and whom they come from. */
export interface Customer {
  readonly number: string;
  readonly phone: string;
}

/** Requests that every measurement takes in the same order, each starting at the first on a fresh database. */
export interface Supply<Item> {
  /** The request in this place; made up now if it has not been yet. */
  at(place: number): Item;
}

export function createSupply<Item>(make: () => Item, prebuilt: number): Supply<Item> {
  const made: Item[] = [];
  const at = (place: number): Item => {
    while (made.length <= place) made.push(make());
    return made[place] as Item;
  };
  if (prebuilt > 0) at(prebuilt - 1);
  return { at };
}

export function createCustomers(count: number): Customer[] {
  const numbers = new Set<string>();
  while (numbers.size < count) numbers.add(newWalletNumber());
  return [...numbers].map((number, index) => ({ number, phone: `254700${String(index).padStart(6, '0')}` }));
}

/**
 * Makes up payments into random wallets, as M-PESA reports them: with a receipt whose first characters are the date,
 * in the form of version 2 of the API, which masks the payer's number.
 */
export function createPayments(customers: readonly Customer[], prebuilt: number): Supply<Deposit> {
  const random = createRandom('benchmark');
  const paidAt = new Date();
  const receipts = new Set<string>();

  function make(): Deposit {
    const customer = customers[random.integer(customers.length)];
    if (customer === undefined) throw new RangeError('there is nobody to pay to');
    const payment = createPayment(random, { account: customer.number, phone: customer.phone, paidAt });
    const { receipt, amount, shortCode, account, firstName, middleName, lastName } = payment;
    // Among so many random receipts two may well be the same, and the second would be a duplicate.
    if (receipts.has(receipt)) return make();
    receipts.add(receipt);
    const message = confirmationOf(payment, 'masked');
    const name = [firstName, middleName, lastName].filter((part) => part !== '').join(' ');
    const body = Buffer.from(JSON.stringify(message));
    return {
      receipt,
      amount,
      shortCode,
      account,
      paidAt,
      payer: { phone: message.MSISDN, phoneHash: null, name },
      callback: { kind: 'C2B_CONFIRMATION', source: '127.0.0.1', body, payload: null },
    };
  }
  return createSupply(make, prebuilt);
}
