import { parseCents } from '../../money.ts';
import { accountOf, laneOf, stripeOf } from '../../lanes.ts';

/** A wallet in plain numbers; sums in cents. */
export interface ModelWallet {
  readonly isSystem: boolean;
  readonly hasFloor: boolean;
  status: string;
  balance: bigint;
  held: bigint;
}

/** A fee rule; the part of the amount in hundredths. */
export interface ModelFee {
  readonly type: 'TRANSFER' | 'WITHDRAWAL';
  readonly from: bigint;
  readonly flat: bigint;
  readonly percent: bigint;
  readonly payer: 'SENDER' | 'RECEIVER';
}

/** Money that is to move; null for a wallet that nobody knows. */
export interface Leg {
  readonly from: string | null;
  readonly to: string | null;
  readonly amount: bigint;
}

/** Wallets and the money that moves between them, as one clerk writes it in a book. */
export class LedgerBook {
  readonly wallets = new Map<string, ModelWallet>();
  /** The fee of the last movement that was done, and what was left to the sender after it. */
  lastFee = 0n;
  lastBalance = 0n;
  readonly #fees: readonly ModelFee[];
  /** By amount, from 0 on, as far as was asked. */
  readonly #dearest: bigint[] = [];

  /** System wallets begin with what they have; customers' are empty. */
  constructor(
    customers: readonly string[],
    system: readonly { readonly id: string; readonly balance: string }[],
    fees: readonly ModelFee[],
  ) {
    for (const number of customers) {
      this.wallets.set(number, { isSystem: false, hasFloor: true, status: 'ACTIVE', balance: 0n, held: 0n });
    }
    for (const { id, balance } of system) {
      const cents = balance.startsWith('-') ? -parseCents(balance.slice(1)) : parseCents(balance);
      const hasFloor = accountOf(id) !== 'MPESA-FLOAT';
      this.wallets.set(id, { isSystem: true, hasFloor, status: 'ACTIVE', balance: cents, held: 0n });
    }
    this.#fees = fees;
  }

  wallet(number: string): ModelWallet {
    const found = this.wallets.get(number);
    if (found === undefined) throw new Error(`The model has no wallet ${number}.`);
    return found;
  }

  /** The number itself when it is a customer's. */
  customer(number: string): string | null {
    return this.wallets.get(number)?.isSystem === false ? number : null;
  }

  /** A movement and its fee. */
  legs(type: string, { from, to, amount }: Leg): Leg[] {
    const rule = this.#fees.filter((fee) => fee.type === type && fee.from <= amount).at(-1);
    const fee = rule === undefined ? 0n : (rule.flat * 100n + amount * rule.percent + 50n) / 100n;
    const payer = rule?.payer === 'RECEIVER' ? to : from;
    return [
      { from, to, amount },
      ...(fee > 0n ? [{ from: payer, to: stripeOf('FEES', laneOf(payer ?? '')), amount: fee }] : []),
    ];
  }

  /** A movement out of a hold, and its fee: the sender pays what was reserved at most, a receiver what they have. */
  legsOfHold(type: string, { from, to, amount }: Leg, feeHeld: bigint): Leg[] {
    const [movement, fee] = this.legs(type, { from, to, amount });
    if (movement === undefined || fee === undefined) return [{ from, to, amount }];
    const receiver = this.wallets.get(to ?? '');
    const has = receiver?.hasFloor === true ? receiver.balance - receiver.held + amount : fee.amount;
    const most = fee.from === from ? feeHeld : has;
    const paid = fee.amount < most ? fee.amount : most;
    return paid > 0n ? [movement, { ...fee, amount: paid }] : [movement];
  }

  /** What a hold of an amount reserves for its fee: the dearest capture there is for its sender, each of them tried. */
  feeToHold(amount: bigint): bigint {
    for (let tried = BigInt(this.#dearest.length); tried <= amount; tried += 1n) {
      const fees = ['TRANSFER', 'WITHDRAWAL'].map((type) => {
        const [, fee] = this.legs(type, { from: 'SENDER', to: 'RECEIVER', amount: tried });
        return fee?.from === 'SENDER' ? fee.amount : 0n;
      });
      const dearest = this.#dearest.at(-1) ?? 0n;
      this.#dearest.push(fees.reduce((most, fee) => (fee > most ? fee : most), dearest));
    }
    return this.#dearest[Number(amount)] ?? 0n;
  }

  /** All legs or none; the reason why not. */
  tryMove(legs: readonly Leg[]): string | null {
    const before = [...this.wallets].map(([number, { balance }]) => ({ number, balance }));
    for (const leg of legs) {
      const reason = this.#whyNot(leg);
      if (reason !== null) {
        for (const { number, balance } of before) this.wallet(number).balance = balance;
        return reason;
      }
      this.wallet(leg.from ?? '').balance -= leg.amount;
      this.wallet(leg.to ?? '').balance += leg.amount;
    }
    const [first, fee] = legs;
    this.lastFee = fee?.amount ?? 0n;
    this.lastBalance = this.wallet(first?.from ?? '').balance;
    return null;
  }

  #whyNot({ from, to, amount }: Leg): string | null {
    const [debit, credit] = [this.wallets.get(from ?? ''), this.wallets.get(to ?? '')];
    if (credit === undefined) return 'unknown_wallet';
    const unusable = whyNotUse(credit);
    if (unusable !== null) return unusable;
    if (debit === undefined) return 'unknown_wallet';
    if (debit === credit) return 'same_wallet';
    const isShort = debit.hasFloor && debit.balance - debit.held < amount;
    return whyNotUse(debit) ?? (isShort ? 'insufficient_funds' : null);
  }
}

export function whyNotUse({ status }: ModelWallet): string | null {
  if (status === 'FROZEN') return 'wallet_frozen';
  return status === 'CLOSED' ? 'wallet_closed' : null;
}
