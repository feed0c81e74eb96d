import { createHash } from 'node:crypto';
import type { ReconciliationReport } from '@repo/db';
import { execute } from '@repo/postgres/database';
import { shillingsOf } from '@repo/simulator';
import type { BookedPayment, DarajaSimulator } from '@repo/simulator';
import type { Customer } from './plan.ts';

/** The ledger held against M-PESA's own book. */
export interface Check {
  /** Customers' wallets whose balance is not what the book gives them. */
  readonly wrongWallets: number;
  /** Accounts of the house that differ: what the book says, and what the ledger has. */
  readonly wrongAccounts: readonly string[];
  /** Payments of the book without a deposit, though nobody gave them back; and deposits without a payment. */
  readonly missing: number;
  readonly strangers: number;
  /** Deposits of another amount than the payment's. */
  readonly wrongAmounts: number;
  /** All that customers have, and what the book gives them. */
  readonly customersHave: string;
  readonly bookGives: string;
  /** The sum of all balances. */
  readonly sum: string;
  /** Callbacks that the inbox has, by what became of them. */
  readonly inbox: Readonly<Record<string, number>>;
}

/** Cents of a decimal string with two decimals and perhaps a sign, as PostgreSQL writes it. */
export function centsOf(text: string): bigint {
  return BigInt(text.replace('.', ''));
}

/** Compares each wallet, each account of the house and each receipt with the books. */
export async function checkLedger(
  url: string,
  {
    books,
    customers,
  }: { readonly books: readonly DarajaSimulator[]; readonly customers: readonly Customer[] },
): Promise<Check> {
  const payments = books.flatMap((daraja) => daraja.book().payments);
  const due = dueOf(books, customers);
  const balances = new Map(
    (
      (await execute(
        url,
        `SELECT core.account_of(id) AS account, sum(balance)::text AS balance FROM core.wallets GROUP BY 1`,
      )) as { account: string; balance: string }[]
    ).map(({ account, balance }) => [account, centsOf(balance)]),
  );
  const have = (account: string) => balances.get(account) ?? 0n;
  const differs = (account: string) => have(account) !== (due.get(account) ?? 0n);
  const wallets = customers.map(({ wallet }) => wallet);
  const house = [...new Set([...balances.keys(), ...due.keys()])].filter((name) => !wallets.includes(name));
  const deposits = new Map(
    (
      (await execute(
        url,
        `SELECT reference, amount::text AS amount FROM core.transactions WHERE type = 'DEPOSIT'`,
      )) as { reference: string; amount: string }[]
    ).map(({ reference, amount }) => [reference, amount]),
  );
  const given = new Set(payments.map(({ reverses }) => reverses));
  const paid = payments.filter(isPaidIn);
  const receipts = new Set(paid.map(({ receipt }) => receipt));
  const inbox = (await execute(
    url,
    `SELECT outcome::text AS outcome, count(*)::int AS count FROM services.mpesa_callbacks GROUP BY 1 ORDER BY 1`,
  )) as { outcome: string; count: number }[];
  return {
    wrongWallets: wallets.filter(differs).length,
    wrongAccounts: house
      .filter(differs)
      .map(
        (name) => `${name} has ${shillingsOf(have(name))}, the book says ${shillingsOf(due.get(name) ?? 0n)}`,
      ),
    missing: paid.filter(({ receipt }) => !deposits.has(receipt) && !given.has(receipt)).length,
    strangers: [...deposits.keys()].filter((receipt) => !receipts.has(receipt)).length,
    wrongAmounts: paid.filter(({ receipt, amount }) => (deposits.get(receipt) ?? amount) !== amount).length,
    customersHave: shillingsOf(wallets.reduce((sum, wallet) => sum + have(wallet), 0n)),
    bookGives: shillingsOf(wallets.reduce((sum, wallet) => sum + (due.get(wallet) ?? 0n), 0n)),
    sum: shillingsOf([...balances.values()].reduce((sum, balance) => sum + balance, 0n)),
    inbox: Object.fromEntries(inbox.map(({ outcome, count }) => [outcome, count])),
  };
}

/** What each account must have by the books: the rules are said once more here, and not asked of the service. */
function dueOf(
  books: readonly DarajaSimulator[],
  customers: readonly Customer[],
): ReadonlyMap<string, bigint> {
  const due = new Map<string, bigint>();
  const add = (account: string, cents: bigint) => due.set(account, (due.get(account) ?? 0n) + cents);
  const known = new Map(
    customers.flatMap(({ wallet, phone }) => [
      [wallet, wallet],
      [`0${phone.slice(3)}`, wallet],
      [`+${phone}`, wallet],
    ]),
  );
  for (const daraja of books) {
    const { payments, balance, opening, paidIn, paidOut } = daraja.book();
    // What the house has somewhere, or spent, stands below zero: the sum of all accounts is nothing.
    add('MPESA-FLOAT', -centsOf(balance));
    let moved = 0n;
    for (const { kind, account, amount } of payments) {
      const cents = centsOf(amount);
      moved += isTaken(kind) ? cents : 0n;
      const receiver = known.get(account.replaceAll(/[ -]/g, '')) ?? 'SUSPENSE';
      if (kind === 'sweep') add('BANK', -cents);
      else add(receiver, kind === 'reversal' ? -cents : cents);
    }
    // What went out and was neither given back nor sent to the bank is what M-PESA charged.
    add('CHARGES', moved - centsOf(paidOut));
    if (centsOf(opening) + centsOf(paidIn) - centsOf(paidOut) !== centsOf(balance)) {
      throw new Error('the book of the simulator does not add up');
    }
  }
  return due;
}

function isTaken(kind: BookedPayment['kind']): boolean {
  return kind === 'sweep' || kind === 'reversal';
}

export function isPaidIn({ kind }: BookedPayment): boolean {
  return !isTaken(kind);
}

/** A digest of all that a day came to: M-PESA's books, where the money of each receipt is, and the reports. */
export async function digestOf(
  url: string,
  {
    books,
    reports,
  }: { readonly books: readonly DarajaSimulator[]; readonly reports: readonly ReconciliationReport[] },
): Promise<Readonly<Record<'books' | 'ledger' | 'reports', string>>> {
  const rows = (await execute(
    url,
    `SELECT coalesce(o.reference, CASE WHEN t.type = 'DEPOSIT' THEN t.reference ELSE '' END) AS reference, t.type::text AS type,
            core.account_of(t.debit_wallet_id) AS debit, core.account_of(t.credit_wallet_id) AS credit, t.amount::text AS amount
       FROM core.transactions t
       LEFT JOIN core.transactions o ON o.id = t.reverses_id
      ORDER BY 1, 2, 3, 4, 5`,
  )) as unknown[];
  const payments = books.flatMap((daraja) =>
    daraja.book().payments.map(({ events: _events, checkoutRequestId: _id, ...payment }) => payment),
  );
  return { books: hashOf(payments), ledger: hashOf(rows), reports: hashOf(reports) };
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
}
