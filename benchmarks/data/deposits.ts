import { newWalletNumber } from '@repo/db';
import type { Deposit } from '@repo/db';
import { confirmationOf, createPayment, createRandom } from '@repo/simulator';

/** What of a wallet matters here: where payments go, and whom they come from. */
export interface Customer {
  readonly number: string;
  readonly phone: string;
}

/** Payments that every measurement takes in the same order, each starting at the first on a fresh database. */
export interface Supply {
  /** The payment in this place; made up now if it has not been yet. */
  at(place: number): Deposit;
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
export function createSupply(customers: readonly Customer[], prebuilt: number): Supply {
  const random = createRandom('benchmark');
  const paidAt = new Date();
  const receipts = new Set<string>();
  const deposits: Deposit[] = [];

  function grow(): void {
    const customer = customers[random.integer(customers.length)];
    if (customer === undefined) throw new RangeError('there is nobody to pay to');
    const payment = createPayment(random, { account: customer.number, phone: customer.phone, paidAt });
    // Among so many random receipts two may well be the same, and the second would be a duplicate.
    if (receipts.has(payment.receipt)) return;
    receipts.add(payment.receipt);
    const message = confirmationOf(payment, 'masked');
    deposits.push({
      receipt: payment.receipt,
      amount: payment.amount,
      shortCode: payment.shortCode,
      account: payment.account,
      paidAt,
      payer: { phone: message.MSISDN, phoneHash: null, name: nameOf(payment) },
      callback: {
        kind: 'C2B_CONFIRMATION',
        source: '127.0.0.1',
        body: Buffer.from(JSON.stringify(message)),
        payload: null,
      },
    });
  }

  function at(place: number): Deposit {
    for (;;) {
      const deposit = deposits[place];
      if (deposit !== undefined) return deposit;
      grow();
    }
  }
  if (prebuilt > 0) at(prebuilt - 1);
  return { at };
}

function nameOf({
  firstName,
  middleName,
  lastName,
}: Readonly<Record<'firstName' | 'middleName' | 'lastName', string>>) {
  return [firstName, middleName, lastName].filter((name) => name !== '').join(' ');
}
