import { formatCents, parseCents } from '../../money.ts';
import { accountOf, laneOf, stripeOf } from '../../lanes.ts';
import { whyNotUse } from './book.ts';
import type { LedgerBook } from './book.ts';
import type { Answer, Operation, Payment } from './operations.ts';

interface ModelHold {
  readonly wallet: string;
  readonly amount: bigint;
  readonly feeHeld: bigint;
  readonly isLate: boolean;
  status: string;
  captured: bigint;
  /** What its release was answered. */
  released?: Answer;
}

interface ModelTransaction {
  readonly type: string;
  readonly from: string;
  readonly to: string;
  readonly amount: bigint;
  remaining: bigint;
  /** As it was answered. */
  readonly answer: Answer;
}

/** How a request is done: the reason why not, or what it changes and answers. */
interface Work {
  readonly refuse: () => string | null;
  readonly done: () => Answer;
}

interface ModelRequest {
  readonly digest: string;
  readonly refusal: string | null;
  /** As it was answered, which is also what a repeat gets. */
  readonly answer: Answer;
}

/**
 * The ledger as one clerk with one book would keep it, one operation after the other. The clerk sees the ledger's
 * answers only to learn the names that it gave to what is new.
 */
export class LedgerModel {
  readonly book: LedgerBook;
  readonly holds = new Map<string, ModelHold>();
  readonly transactions = new Map<string, ModelTransaction>();
  readonly requests = new Map<string, ModelRequest>();
  readonly #assignments = new Map<string, string>();

  constructor(book: LedgerBook) {
    this.book = book;
  }

  /** Does the operation and says what must have been answered. */
  apply(operation: Operation, told: readonly Answer[]): Answer[] {
    const name = (field: string, i = 0): string => {
      const found = told[i]?.[field];
      return typeof found === 'string' ? found : '';
    };
    switch (operation.kind) {
      case 'deposit':
        return [this.#deposit(operation)];
      case 'transfers':
        return operation.payments.map((payment, i) => this.#transfer(payment, name('reference', i)));
      case 'hold':
        return [this.#hold(operation, name('id'))];
      case 'capture':
        return [this.#capture(operation, name('reference'))];
      case 'release':
        return [this.#release(operation.holdId)];
      case 'expire':
        return [this.#expire(operation.holdId)];
      case 'reverse':
        return [this.#reverse(operation, name('reference'))];
      case 'assign':
        return [this.#assign(operation, name('reference'))];
      case 'status':
      default:
        return [this.#setStatus(operation)];
    }
  }

  #deposit({ receipt, account, amount }: Extract<Operation, { kind: 'deposit' }>): Answer {
    const before = this.transactions.get(receipt);
    if (before !== undefined) {
      if (before.amount !== parseCents(amount)) return { outcome: 'conflict' };
      const { wallet, balanceAfter } = before.answer;
      return { outcome: 'duplicate', wallet, balanceAfter };
    }
    const target = this.book.wallets.get(account);
    const frozen = { FROZEN: 'wallet_frozen', CLOSED: 'wallet_closed' }[target?.status ?? ''];
    const reason = account === '' ? 'no_account' : frozen;
    const lane = laneOf(account);
    const float = stripeOf('MPESA-FLOAT', lane);
    const wallet = reason === undefined ? account : stripeOf('SUSPENSE', lane);
    this.book.tryMove([{ from: float, to: wallet, amount: parseCents(amount) }]);
    const balanceAfter = formatCents(this.book.wallet(wallet).balance);
    const answer = { wallet: accountOf(wallet), balanceAfter };
    this.#write(receipt, {
      type: 'DEPOSIT',
      from: float,
      to: wallet,
      amount: parseCents(amount),
      answer,
    });
    return reason === undefined
      ? { outcome: 'credited', ...answer }
      : { outcome: 'suspense', reason, ...answer };
  }

  #transfer({ key, from, to, amount }: Payment, reference: string): Answer {
    const digest = JSON.stringify(['transfer', from, to, amount]);
    return this.#once(
      key,
      { digest, name: reference },
      {
        refuse: () =>
          this.book.tryMove(
            this.book.legs('TRANSFER', {
              from: this.book.customer(from),
              to: this.book.customer(to),
              amount: parseCents(amount),
            }),
          ),
        done: () => this.#writePosted(reference, 'TRANSFER', { from, to, amount: parseCents(amount) }),
      },
    );
  }

  #hold({ key, wallet, amount, isLate }: Extract<Operation, { kind: 'hold' }>, id: string): Answer {
    const digest = JSON.stringify(['hold', wallet, amount, isLate]);
    const cents = parseCents(amount);
    const feeHeld = this.book.feeToHold(cents);
    const w = this.book.wallets.get(this.book.customer(wallet) ?? '');
    return this.#once(
      key,
      { digest, name: id },
      {
        refuse: () => {
          if (w === undefined) return 'unknown_wallet';
          const unusable = whyNotUse(w);
          if (unusable !== null) return unusable;
          return w.balance - w.held < cents + feeHeld ? 'insufficient_funds' : null;
        },
        done: () => {
          if (w !== undefined) w.held += cents + feeHeld;
          this.holds.set(id, { wallet, amount: cents, feeHeld, isLate, status: 'ACTIVE', captured: 0n });
          return this.#view(id);
        },
      },
    );
  }

  #capture(operation: Extract<Operation, { kind: 'capture' }>, reference: string): Answer {
    const { key, holdId } = operation;
    const digest = JSON.stringify(['capture', holdId, operation.to, operation.amount]);
    const h = this.holds.get(holdId);
    const to =
      operation.to === 'MPESA-FLOAT' ? stripeOf('MPESA-FLOAT', laneOf(h?.wallet ?? '')) : operation.to;
    const amount = operation.amount === null ? (h?.amount ?? 0n) : parseCents(operation.amount);
    const type = this.book.customer(to) === null ? 'WITHDRAWAL' : 'TRANSFER';
    return this.#once(
      key,
      { digest, name: reference },
      {
        refuse: () => {
          if (h === undefined) return 'unknown_hold';
          if (h.status !== 'ACTIVE' || h.isLate) return 'hold_closed';
          if (amount > h.amount) return 'exceeds_hold';
          const w = this.book.wallet(h.wallet);
          w.held -= h.amount + h.feeHeld;
          const reason = this.book.tryMove(
            this.book.legsOfHold(type, { from: h.wallet, to, amount }, h.feeHeld),
          );
          if (reason !== null) w.held += h.amount + h.feeHeld;
          return reason;
        },
        done: () => {
          if (h !== undefined) {
            h.status = 'CAPTURED';
            h.captured = amount;
          }
          const posted = this.#writePosted(reference, type, { from: h?.wallet ?? '', to, amount });
          return { ...posted, type, hold: this.#view(holdId) };
        },
      },
    );
  }

  #release(holdId: string): Answer {
    const h = this.holds.get(holdId);
    if (h === undefined) return { code: 'unknown_hold' };
    if (h.released !== undefined) return again(h.released);
    if (h.status !== 'ACTIVE') return { code: 'hold_closed' };
    this.#giveBack(h, 'RELEASED');
    h.released = this.#view(holdId);
    return h.released;
  }

  #expire(holdId: string): Answer {
    const h = this.holds.get(holdId);
    if (h === undefined) return { outcome: 'refused', reason: 'unknown_hold' };
    if (h.status === 'EXPIRED') return { outcome: 'replayed', reason: '' };
    if (h.status !== 'ACTIVE') return { outcome: 'refused', reason: 'hold_closed' };
    if (!h.isLate) return { outcome: 'refused', reason: 'not_expired' };
    this.#giveBack(h, 'EXPIRED');
    return { outcome: 'posted', reason: '' };
  }

  #reverse(operation: Extract<Operation, { kind: 'reverse' }>, reference: string): Answer {
    const { key, reference: original } = operation;
    const digest = JSON.stringify(['reverse', original, operation.amount]);
    const t = this.transactions.get(original);
    const amount = operation.amount === null ? (t?.remaining ?? 0n) : parseCents(operation.amount);
    return this.#once(
      key,
      { digest, name: reference },
      {
        refuse: () => {
          if (t === undefined) return 'unknown_transaction';
          if (t.type === 'REVERSAL') return 'not_reversible';
          if (t.remaining === 0n) return 'already_reversed';
          if (amount > t.remaining) return 'exceeds_remaining';
          if (t.type === 'ASSIGNMENT' && amount < t.remaining) return 'not_divisible';
          if (accountOf(t.to) === 'SUSPENSE' && this.#assignmentOf(original) !== null)
            return 'already_assigned';
          const reason = this.book.tryMove([{ from: t.to, to: t.from, amount }]);
          return reason === 'insufficient_funds' ? 'funds_spent' : reason;
        },
        done: () => {
          if (t !== undefined) t.remaining -= amount;
          const parties = { from: t?.to ?? '', to: t?.from ?? '' };
          const posted = this.#writePosted(reference, 'REVERSAL', { ...parties, amount });
          return { ...posted, remaining: formatCents(t?.remaining ?? 0n) };
        },
      },
    );
  }

  #assign({ receipt, wallet }: Extract<Operation, { kind: 'assign' }>, reference: string): Answer {
    const t = this.transactions.get(receipt);
    if (t?.type !== 'DEPOSIT') return { code: 'unknown_transaction' };
    if (accountOf(t.to) !== 'SUSPENSE') return { code: 'not_in_suspense' };
    const current = this.#assignmentOf(receipt);
    if (current !== null && this.#transaction(current).to !== wallet) return { code: 'already_assigned' };
    if (t.remaining < t.amount) return { code: 'already_reversed' };
    if (this.book.customer(wallet) === null) return { code: 'unknown_wallet' };
    if (current !== null) return { ...this.#transaction(current).answer, replayed: true };
    const reason = this.book.tryMove([{ from: t.to, to: wallet, amount: t.amount }]);
    if (reason !== null) return { code: reason };
    this.#assignments.set(receipt, reference);
    return this.#writePosted(reference, 'ASSIGNMENT', { from: t.to, to: wallet, amount: t.amount });
  }

  #setStatus({ wallet, status }: Extract<Operation, { kind: 'status' }>): Answer {
    const w = this.book.wallets.get(this.book.customer(wallet) ?? '');
    if (w === undefined) return { code: 'unknown_wallet' };
    if (w.status === 'CLOSED' && status !== 'CLOSED') return { code: 'wallet_closed' };
    if (status === 'CLOSED' && (w.balance !== 0n || w.held !== 0n)) return { code: 'wallet_not_empty' };
    w.status = status;
    return { status, balance: formatCents(w.balance), held: formatCents(w.held) };
  }

  /** A request is done or refused once for its key, and answered the same ever after. */
  #once(key: string, asked: { digest: string; name: string }, work: Work): Answer {
    const { digest, name } = asked;
    const before = this.requests.get(key);
    if (before !== undefined) {
      if (before.digest !== digest) return { code: 'key_reused' };
      return before.refusal === null ? again(before.answer) : { code: before.refusal };
    }
    const refusal = work.refuse();
    if (refusal !== null) {
      this.requests.set(key, { digest, refusal, answer: {} });
      return { code: refusal };
    }
    if (name === '' || this.transactions.has(name) || this.holds.has(name)) return { name: 'a new one' };
    const answer = work.done();
    this.requests.set(key, { digest, refusal, answer });
    return answer;
  }

  #writePosted(reference: string, type: string, facts: { from: string; to: string; amount: bigint }): Answer {
    const { from, to, amount } = facts;
    const answer = {
      reference,
      from: accountOf(from),
      to: accountOf(to),
      amount: formatCents(amount),
      fee: formatCents(this.book.lastFee),
      balanceAfter: formatCents(this.book.lastBalance),
      replayed: false,
    };
    this.#write(reference, { type, ...facts, answer });
    const [, fee] = this.book.legs(type, facts);
    if (this.book.lastFee > 0n && fee !== undefined) {
      this.#write(`${reference}-F`, {
        type: 'FEE',
        from: fee.from ?? '',
        to: fee.to ?? '',
        amount: this.book.lastFee,
        answer: {},
      });
    }
    return answer;
  }

  #write(reference: string, written: Omit<ModelTransaction, 'remaining'>): void {
    this.transactions.set(reference, { ...written, remaining: written.amount });
  }

  #giveBack(h: ModelHold, status: string): void {
    this.book.wallet(h.wallet).held -= h.amount + h.feeHeld;
    h.status = status;
  }

  #view(id: string): Answer {
    const h = this.holds.get(id);
    const w = this.book.wallet(h?.wallet ?? '');
    return {
      id,
      status: h?.status,
      amount: formatCents(h?.amount ?? 0n),
      feeHeld: formatCents(h?.feeHeld ?? 0n),
      captured: formatCents(h?.captured ?? 0n),
      available: formatCents(w.balance - w.held),
      replayed: false,
    };
  }

  #assignmentOf(receipt: string): string | null {
    const reference = this.#assignments.get(receipt);
    return reference !== undefined && this.#transaction(reference).remaining > 0n ? reference : null;
  }

  #transaction(reference: string): ModelTransaction {
    const found = this.transactions.get(reference);
    if (found === undefined) throw new Error(`The model has no transaction ${reference}.`);
    return found;
  }
}

/** An answer as a repeat gets it. */
function again(answer: Answer): Answer {
  const { hold } = answer;
  return {
    ...answer,
    replayed: true,
    ...(typeof hold === 'object' && { hold: { ...hold, replayed: true } }),
  };
}
