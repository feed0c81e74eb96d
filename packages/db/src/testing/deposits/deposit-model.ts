import type { Deposit, DepositResult } from '../../deposits/deposit.ts';
import { parseCents } from '../../money.ts';

export interface ModelCustomer {
  readonly number: string;
  readonly phone: string;
  status: string;
  cents: bigint;
}

interface ModelDeposit {
  readonly cents: bigint;
  readonly shortCode: string;
  readonly outcome: 'credited' | 'suspense' | 'held';
  /** Who was told by SMS, and null when nobody could be. */
  readonly told: string | null;
}

/** The limit of amounts that are posted when nobody sets another. */
const HELD_ABOVE = 1_000_000_000n;

/** What a batch of deposits must have done, in plain maps and numbers. */
export class DepositModel {
  readonly customers: readonly ModelCustomer[];
  readonly deposits = new Map<string, ModelDeposit>();
  suspenseCents = 0n;
  messages = 0;

  constructor(customers: readonly ModelCustomer[]) {
    this.customers = customers;
  }

  /** Takes one message in and says what its answer must be: the outcome, and the reason or the original outcome. */
  record(deposit: Deposit): string {
    this.messages += 1;
    const cents = parseCents(deposit.amount);
    const before = this.deposits.get(deposit.receipt);
    if (before !== undefined) {
      const isSame = before.cents === cents && before.shortCode === deposit.shortCode;
      return isSame ? `duplicate ${before.outcome}` : 'conflict';
    }
    if (cents > HELD_ABOVE) {
      this.deposits.set(deposit.receipt, {
        cents,
        shortCode: deposit.shortCode,
        outcome: 'held',
        told: null,
      });
      return 'held ';
    }
    const { customer, reason } = this.#route(deposit.account);
    const outcome = reason === null ? 'credited' : 'suspense';
    if (customer !== null && reason === null) customer.cents += cents;
    else this.suspenseCents += cents;
    // A masked number has its message too, one that says why it cannot be sent.
    const told = reason === null ? (customer?.phone ?? null) : deposit.payer.phone;
    this.deposits.set(deposit.receipt, { cents, shortCode: deposit.shortCode, outcome, told });
    return `${outcome} ${reason ?? ''}`;
  }

  get transactions(): number {
    return [...this.deposits.values()].filter(({ outcome }) => outcome !== 'held').length;
  }

  get smsRows(): number {
    return [...this.deposits.values()].filter(({ told }) => told !== null).length;
  }

  #route(account: string): { customer: ModelCustomer | null; reason: string | null } {
    const typed = account.replaceAll(' ', '');
    if (typed === '') return { customer: null, reason: 'no_account' };
    const found =
      this.customers.find(({ number }) => number === typed) ??
      this.customers.find(({ phone, status }) => phone === typed && status !== 'CLOSED');
    if (found === undefined) {
      return { customer: null, reason: /^\d{10}$/.test(typed) ? 'wrong_check_digit' : 'unknown_account' };
    }
    const reasons: Readonly<Record<string, string>> = { FROZEN: 'wallet_frozen', CLOSED: 'wallet_closed' };
    return { customer: found, reason: reasons[found.status] ?? null };
  }
}

/** An answer in the words of the model. */
export function summaryOf(result: DepositResult): string {
  if (result.outcome === 'duplicate') return `duplicate ${result.original}`;
  if (result.outcome === 'conflict') return 'conflict';
  return `${result.outcome} ${'reason' in result ? result.reason : ''}`;
}
