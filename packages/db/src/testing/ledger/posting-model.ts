import { formatCents, parseCents } from '../../money.ts';
import type { Posted, Posting } from '../database/post.ts';

/** A wallet in plain numbers; sums in cents. */
export interface ModelWallet {
  balance: bigint;
  readonly held: bigint;
  readonly floor: bigint | null;
  readonly status: string;
  readonly currency: string;
}

/** The ledger as a child would keep it: who has how much, what was recorded, and which keys are spent on what. */
export interface ModelLedger {
  readonly wallets: Map<string, ModelWallet>;
  readonly recorded: Map<string, { readonly from: string; readonly to: string; readonly amount: string }>;
  readonly keys: Map<string, string>;
}

/** Does a batch to the model and answers what the door must answer. */
export function applyPostings(ledger: ModelLedger, postings: readonly Posting[]): Posted[] {
  return groupsOf(postings).flatMap((group) => applyGroup(ledger, group));
}

/** The postings of a batch, those together that are created together or not at all. */
export function groupsOf(postings: readonly Posting[]): Posting[][] {
  const groups: Posting[][] = [];
  for (const posting of postings) {
    const last = groups.at(-1);
    const number = posting.group ?? null;
    if (number !== null && last?.[0]?.group === number) last.push(posting);
    else groups.push([posting]);
  }
  return groups;
}

function applyGroup(ledger: ModelLedger, legs: readonly Posting[]): Posted[] {
  const before = structuredClone(ledger);
  const answers: Posted[] = [];
  for (const leg of legs) {
    const told = applyPosting(ledger, leg);
    answers.push(told);
    if (told.outcome !== 'created') break;
  }
  const last = answers.at(-1);
  if (last === undefined || last.outcome === 'created') return answers;
  // Nothing of the group happens. A refusal is the group's and spends the keys of what was refused.
  const isRefused = last.outcome === 'refused';
  replace(ledger.wallets, before.wallets);
  replace(ledger.recorded, before.recorded);
  if (!isRefused) replace(ledger.keys, before.keys);
  const earlier = answer(isRefused ? 'refused' : 'skipped', last.reason);
  return legs.map((_, i) => {
    if (i < answers.length - 1) return earlier;
    return i === answers.length - 1 ? last : answer('skipped', null);
  });
}

function replace<Key, Value>(map: Map<Key, Value>, by: ReadonlyMap<Key, Value>): void {
  map.clear();
  for (const [key, value] of by) map.set(key, value);
}

function applyPosting(ledger: ModelLedger, posting: Posting): Posted {
  const { reference, from, to, fallback = null, key = null, digest = null } = posting;
  const amount = posting.amount ?? '';
  const spent = ledger.keys.get(key ?? '');
  if (spent !== undefined) return answer(spent === digest ? 'replayed' : 'key_reused', null);
  const before = ledger.recorded.get(reference);
  if (before !== undefined) {
    const isSame =
      before.amount === amount && before.from === from && (before.to === to || before.to === fallback);
    return answer(isSame ? 'exists' : 'exists_different', null);
  }
  if (key !== null) ledger.keys.set(key, digest ?? '');
  const hindrance = whyNotCredit(ledger, to);
  const isDiverted =
    hindrance !== null && fallback !== null && ledger.wallets.get(fallback)?.status === 'ACTIVE';
  const target = isDiverted ? fallback : to;
  const debit = ledger.wallets.get(from ?? '');
  const credit = ledger.wallets.get(target ?? '');
  const reason = (isDiverted ? null : hindrance) ?? whyNotMove(amount, debit, credit);
  if (reason !== null || debit === undefined || credit === undefined) return answer('refused', reason);
  debit.balance -= parseCents(amount);
  credit.balance += parseCents(amount);
  ledger.recorded.set(reference, { from: from ?? '', to: target ?? '', amount });
  return {
    outcome: 'created',
    reason: isDiverted ? hindrance : null,
    credited: target,
    debitBalance: formatCents(debit.balance),
    creditBalance: formatCents(credit.balance),
  };
}

function answer(outcome: string, reason: string | null): Posted {
  return { outcome, reason, credited: null, debitBalance: null, creditBalance: null };
}

function whyNotCredit(ledger: ModelLedger, to: string | null): string | null {
  const wallet = ledger.wallets.get(to ?? '');
  if (wallet === undefined) return 'unknown_wallet';
  return whyNotUse(wallet);
}

function whyNotUse({ status, currency }: ModelWallet): string | null {
  if (status === 'FROZEN') return 'wallet_frozen';
  if (status === 'CLOSED') return 'wallet_closed';
  return currency === 'KES' ? null : 'currency_mismatch';
}

function whyNotMove(
  amount: string,
  debit: ModelWallet | undefined,
  credit: ModelWallet | undefined,
): string | null {
  if (amount.startsWith('-') || parseCents(amount) === 0n) return 'invalid_amount';
  if (debit === undefined) return 'unknown_wallet';
  if (debit === credit) return 'same_wallet';
  const unusable = whyNotUse(debit);
  if (unusable !== null) return unusable;
  if (credit?.currency !== 'KES') return 'currency_mismatch';
  const available = debit.floor === null ? null : debit.balance - debit.held - debit.floor;
  return available !== null && available < parseCents(amount) ? 'insufficient_funds' : null;
}
