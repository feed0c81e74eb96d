import type { Language } from './language.ts';
import { maskNumber, SYSTEM_LABELS } from './masking.ts';
import { formatAmount, formatTime, shownIssuer, visible } from './presentation.ts';
import type { ShownIssuer } from './presentation.ts';
import type { Issuer, ShownType } from './receipt-facts.ts';
import { WORDINGS } from './wording.ts';

/** One movement on a statement. Amounts are decimal strings with two decimals. */
export interface StatementEntry {
  /** ISO 8601 in UTC. */
  readonly createdAt: string;
  readonly type: ShownType;
  readonly reference: string;
  readonly direction: 'debit' | 'credit';
  /** The other wallet's number, which is shown masked; a system wallet's name in the ledger. */
  readonly counterparty: string;
  readonly amount: string;
  readonly balanceAfter: string;
  readonly narrative: string | null;
}

/** What went in and out of a wallet in a period, as it is printed. */
export interface Statement {
  readonly issuer: Issuer | null;
  readonly wallet: string;
  /** As it may be shown to the caller. */
  readonly holder: string;
  readonly currency: string;
  /** The first moment of the period, and the first one after it, in ISO 8601; null for an open end. */
  readonly from: string | null;
  readonly to: string | null;
  /** When the statement was made, in ISO 8601. */
  readonly madeAt: string;
  readonly openingBalance: string;
  readonly closingBalance: string;
  readonly entries: readonly StatementEntry[];
}

/** A statement as texts; the page only places them. */
export interface ShownStatement {
  readonly issuer: ShownIssuer | null;
  readonly title: string;
  readonly facts: readonly (readonly [label: string, value: string])[];
  readonly columns: readonly [
    time: string,
    details: string,
    paidIn: string,
    paidOut: string,
    balance: string,
  ];
  readonly rows: readonly ShownEntry[];
  readonly pageNumber: (page: number, pages: number) => string;
}

export interface ShownEntry {
  readonly time: string;
  readonly details: string;
  readonly paidIn: string;
  readonly paidOut: string;
  readonly balance: string;
}

export function presentStatement(statement: Statement, language: Language): ShownStatement {
  const words = WORDINGS[language];
  const say = words.statement;
  const sum = (amount: string) => formatAmount(statement.currency, amount);
  const bare = (amount: string) => sum(amount).slice(statement.currency.length + 1);
  const time = (at: string | null, open: string) => (at === null ? open : formatTime(at, words));
  return {
    issuer: statement.issuer === null ? null : shownIssuer(statement.issuer, words),
    title: say.title,
    facts: [
      [say.wallet, statement.wallet],
      [say.holder, visible(statement.holder)],
      [
        say.period,
        `${time(statement.from, say.beginning)} - ${time(statement.to, formatTime(statement.madeAt, words))}`,
      ],
      [say.opening, sum(statement.openingBalance)],
      [say.closing, sum(statement.closingBalance)],
      [say.madeAt, formatTime(statement.madeAt, words)],
    ],
    columns: [say.time, say.details, say.paidIn, say.paidOut, say.balance],
    rows: statement.entries.map((entry) => ({
      time: formatTime(entry.createdAt, words),
      details: detailsOf(entry, language),
      paidIn: entry.direction === 'credit' ? bare(entry.amount) : '',
      paidOut: entry.direction === 'debit' ? bare(entry.amount) : '',
      balance: bare(entry.balanceAfter),
    })),
    pageNumber: say.pageNumber,
  };
}

/** `Transfer DF-01JD8Y2Q4V7M, ******1234: Rent` */
function detailsOf({ type, reference, counterparty, narrative }: StatementEntry, language: Language): string {
  const words = WORDINGS[language];
  const system = SYSTEM_LABELS.get(counterparty);
  const other = system === undefined ? maskNumber(counterparty) : (words.systemWallets[system] ?? system);
  const what = `${words.types[type]} ${visible(reference)}, ${other}`;
  return narrative === null ? what : `${what}: ${visible(narrative)}`;
}
