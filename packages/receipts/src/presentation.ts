import type { MaskedFacts, MaskedParty } from './masking.ts';
import type { Issuer, ReceiptFee } from './receipt-facts.ts';
import type { Wording } from './wording.ts';

/** East Africa Time is three hours ahead of UTC, all year. */
const EAT_OFFSET_MS = 3 * 3_600_000;

export interface Row {
  readonly field: 'time' | 'paid' | 'from' | 'to' | 'fee' | 'narrative' | 'reference' | 'type' | 'hash';
  readonly label: string;
  readonly value: string;
}

/** What a reader sees of a receipt, as texts; pages and PDF only differ in how they place them. */
export interface Presentation {
  /** Receipts of version 1 are drawn as they were then, so that files that were saved can still be checked. */
  readonly isFirstVersion: boolean;
  readonly issuer: ShownIssuer | null;
  readonly amountLabel: string;
  readonly amount: string;
  readonly type: string;
  readonly rows: readonly Row[];
  readonly hash: Row;
}

export function present(facts: MaskedFacts, words: Wording): Presentation {
  const row = (field: Row['field'], value: string): Row => ({ field, label: words.labels[field], value });
  const { paidAt = null, fee = null, narrative = null, issuer = null } = facts;
  const type = words.types[facts.type];
  const time = row('time', formatTime(facts.createdAt, words));
  const rows = [
    row('type', type),
    ...(paidAt === null ? [] : [row('paid', formatTime(paidAt, words))]),
    paidAt === null ? time : { ...time, label: words.labels.recorded },
    row('from', formatParty(facts.from, words)),
    row('to', formatParty(facts.to, words)),
    ...(fee === null ? [] : [row('fee', formatFee(fee, facts.currency, words))]),
    ...(narrative === null ? [] : [row('narrative', visible(narrative))]),
    row('reference', visible(facts.reference)),
  ];
  return {
    isFirstVersion: facts.issuer === undefined,
    issuer: issuer === null ? null : shownIssuer(issuer, words),
    amountLabel: words.labels.amount,
    amount: formatAmount(facts.currency, facts.amount),
    type,
    rows,
    hash: row('hash', facts.verificationHash),
  };
}

/** Whose receipts they are, as texts. */
export interface ShownIssuer {
  readonly name: string;
  /** `Questions? 0700 000 000`; null where nobody answers. */
  readonly contact: string | null;
}

export function shownIssuer({ name, contact }: Issuer, words: Pick<Wording, 'questions'>): ShownIssuer {
  return { name: visible(name), contact: contact === null ? null : `${words.questions} ${visible(contact)}` };
}

function formatFee({ amount, paidBy }: ReceiptFee, currency: string, words: Wording): string {
  const sum = formatAmount(currency, amount);
  return paidBy === 'from' ? sum : words.feePaidByReceiver(sum);
}

/** `KES 1,500.00` */
export function formatAmount(currency: string, amount: string): string {
  return `${currency} ${amount.replaceAll(/\B(?=(?:\d{3})+\.)/g, ',')}`;
}

/** `22 Nov 2026, 20:15 EAT`, of an ISO 8601 time in UTC. */
export function formatTime(createdAt: string, words: Pick<Wording, 'months'>): string {
  const local = new Date(Date.parse(createdAt) + EAT_OFFSET_MS);
  const month = words.months[local.getUTCMonth()] ?? '';
  const clock = local.toISOString().slice(-13, -8);
  return `${local.getUTCDate()} ${month} ${local.getUTCFullYear()}, ${clock} EAT`;
}

/** `J*** M*****, ******8848` */
export function formatParty(party: MaskedParty, words: Pick<Wording, 'systemWallets'>): string {
  const name = party.kind === 'system' ? (words.systemWallets[party.name ?? ''] ?? party.name) : party.name;
  return [name, party.number].filter((part) => part !== null).join(', ');
}

/** A reference comes from outside: what cannot be seen, or turns the reading direction, is shown as a sign of its own. */
export function visible(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '\uFFFD');
}
