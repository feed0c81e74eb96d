import type { MaskedFacts, MaskedParty } from './masking.ts';
import type { Wording } from './wording.ts';

/** East Africa Time is three hours ahead of UTC, all year. */
const EAT_OFFSET_MS = 3 * 3_600_000;

export interface Row {
  readonly field: 'time' | 'from' | 'to' | 'reference' | 'type' | 'hash';
  readonly label: string;
  readonly value: string;
}

/** What a reader sees of a receipt, as texts; pages and PDF only differ in how they place them. */
export interface Presentation {
  readonly amountLabel: string;
  readonly amount: string;
  readonly type: string;
  readonly rows: readonly Row[];
  readonly hash: Row;
}

export function present(facts: MaskedFacts, words: Wording): Presentation {
  const row = (field: Row['field'], value: string): Row => ({ field, label: words.labels[field], value });
  const type = words.types[facts.type];
  return {
    amountLabel: words.labels.amount,
    amount: formatAmount(facts.currency, facts.amount),
    type,
    rows: [
      row('type', type),
      row('time', formatTime(facts.createdAt, words)),
      row('from', formatParty(facts.from, words)),
      row('to', formatParty(facts.to, words)),
      row('reference', visible(facts.reference)),
    ],
    hash: row('hash', facts.verificationHash),
  };
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
