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

/** One row of the organisation's statement: a movement, the charge for it, or a payment that failed. */
export interface BookedRow {
  readonly receipt: string;
  readonly kind: BookedPayment['kind'] | 'charge' | 'failed';
  /** Always positive. */
  readonly cents: bigint;
  readonly at: Date;
  readonly account: string;
  readonly phone: string;
  readonly reverses: string | null;
}

/** The account of the organisation: `opening + paidIn - paidOut = balance`, to the cent. */
export interface BookSummary {
  readonly opening: string;
  readonly paidIn: string;
  /** With what M-PESA charged. */
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
  /** A payment that failed: its receipt is used up and no money moves. */
  fail(receipt: string, movement: Movement): void;
  find(receipt: string): BookedPayment | null;
  readonly payments: readonly BookedPayment[];
  /** As the statement has them, oldest first. */
  readonly rows: readonly BookedRow[];
  readonly opening: bigint;
  readonly balance: bigint;
  summary(): BookSummary;
}

const TAKES: ReadonlySet<BookedPayment['kind']> = new Set(['sweep', 'reversal']);

/** `chargeOf` says what M-PESA takes for a payment; it is taken under the payment's receipt, right after it. */
export function openBook(openingBalance: string, chargeOf: (cents: bigint) => bigint = () => 0n): Book {
  const opening = centsOf(openingBalance);
  const reserved = new Set<string>();
  const payments = new Map<string, BookedPayment>();
  const rows: BookedRow[] = [];
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
    rows.push(rowOf(receipt, movement, { kind: movement.kind, cents }));
    const charge = TAKES.has(movement.kind) ? 0n : chargeOf(cents);
    if (charge > 0n) {
      paidOut += charge;
      rows.push(rowOf(receipt, movement, { kind: 'charge', cents: charge }));
    }
    return payment;
  }
  return {
    reserve,
    moveAs,
    move: (movement, random) => moveAs(reserve(movement.paidAt, random), movement),
    fail(receipt, movement) {
      rows.push(rowOf(receipt, movement, { kind: 'failed', cents: centsOf(movement.amount) }));
    },
    rows,
    opening,
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

function rowOf(
  receipt: string,
  { paidAt, account, phone, reverses }: Movement,
  what: Pick<BookedRow, 'kind' | 'cents'>,
): BookedRow {
  return { receipt, ...what, at: paidAt, account, phone, reverses };
}
