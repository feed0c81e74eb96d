import type { Random } from '../random.ts';
import { receiptFor } from '../receipt.ts';
import { centsOf, shillingsOf } from './cents.ts';

/** The messages that M-PESA sends of its own accord. */
export type EventKind = 'callback' | 'confirmation' | 'validation' | 'result';

/** An event and what became of it. */
export interface BookedEvent {
  readonly kind: EventKind;
  /** How often it was meant to be sent; 0 if it was dropped. */
  readonly copies: number;
  readonly isHeld: boolean;
  readonly isMutated: boolean;
  /** The HTTP status of each sending; null if nobody answered. */
  readonly answers: readonly (number | null)[];
  /** The beginning of the last answer's body. */
  readonly said: string;
}

/** Money that moved at M-PESA, whatever anybody was told of it. */
export interface BookedPayment {
  readonly receipt: string;
  /** `sweep` moves money to the bank, `reversal` gives a payment back; both take money from the organisation. */
  readonly kind: 'c2b' | 'stk' | 'sweep' | 'reversal';
  /** A decimal string of shillings, always positive. */
  readonly amount: string;
  /** What the organisation has afterwards. */
  readonly balance: string;
  readonly paidAt: Date;
  readonly shortCode: string;
  /** What the payer typed, or the reference of the prompt. */
  readonly account: string;
  /** Digits; empty if the payer is no person. */
  readonly phone: string;
  readonly checkoutRequestId: string | null;
  /** The receipt that a reversal gives back. */
  readonly reverses: string | null;
  readonly events: readonly BookedEvent[];
}

/** The account of the organisation: `opening + paidIn - paidOut = balance`, to the cent. */
export interface BookSummary {
  readonly opening: string;
  readonly paidIn: string;
  readonly paidOut: string;
  readonly balance: string;
  /** In the order in which the money moved. */
  readonly payments: readonly BookedPayment[];
}

export type Movement = Omit<BookedPayment, 'receipt' | 'balance' | 'events'>;

/** A payment whose events are still added. */
export interface OpenPayment extends BookedPayment {
  readonly events: BookedEvent[];
}

export interface Book {
  /** Moves the money. Its receipt is drawn from the chance of that payment; no receipt comes twice. */
  move(movement: Movement, random: Random): OpenPayment;
  /** A receipt that is given to a payment before the money moves. */
  reserve(paidAt: Date, random: Random): string;
  moveAs(receipt: string, movement: Movement): OpenPayment;
  find(receipt: string): BookedPayment | null;
  readonly payments: readonly BookedPayment[];
  readonly balance: bigint;
  summary(): BookSummary;
}

const TAKES: ReadonlySet<BookedPayment['kind']> = new Set(['sweep', 'reversal']);

export function openBook(openingBalance: string): Book {
  const opening = centsOf(openingBalance);
  const reserved = new Set<string>();
  const payments = new Map<string, BookedPayment>();
  let paidIn = 0n;
  let paidOut = 0n;

  function reserve(paidAt: Date, random: Random): string {
    for (;;) {
      const receipt = receiptFor(paidAt, random);
      if (reserved.has(receipt)) continue;
      reserved.add(receipt);
      return receipt;
    }
  }

  function moveAs(receipt: string, movement: Movement): OpenPayment {
    const cents = centsOf(movement.amount);
    if (TAKES.has(movement.kind)) paidOut += cents;
    else paidIn += cents;
    const amount = shillingsOf(cents);
    const balance = shillingsOf(opening + paidIn - paidOut);
    const payment: OpenPayment = { ...movement, receipt, amount, balance, events: [] };
    payments.set(receipt, payment);
    return payment;
  }
  return {
    reserve,
    moveAs,
    move: (movement, random) => moveAs(reserve(movement.paidAt, random), movement),
    find: (receipt) => payments.get(receipt) ?? null,
    get payments() {
      return [...payments.values()];
    },
    get balance() {
      return opening + paidIn - paidOut;
    },
    summary: () => ({
      opening: shillingsOf(opening),
      paidIn: shillingsOf(paidIn),
      paidOut: shillingsOf(paidOut),
      balance: shillingsOf(opening + paidIn - paidOut),
      payments: [...payments.values()],
    }),
  };
}
