import { formatCents, parseCents } from '../money.ts';
import type { Posted, Posting } from './post.ts';

/** A wallet in plain numbers; sums in cents. */
export interface ModelWallet {
  balance: bigint;
  readonly held: bigint;
  readonly floor: bigint | null;
  readonly status: string;
  readonly currency: string;
}

/** The ledger as a child would keep it: who has how much, and what was recorded under which reference. */
export interface ModelLedger {
  readonly wallets: Map<string, ModelWallet>;
  readonly recorded: Map<string, { readonly from: string; readonly to: string; readonly amount: string }>;
}

/** Does one posting to the model and answers what the door must answer. */
export function applyPosting(ledger: ModelLedger, posting: Posting): Posted {
  const { reference, from, to, fallback = null } = posting;
  const amount = posting.amount ?? '';
  const before = ledger.recorded.get(reference);
  if (before !== undefined) {
    const isSame =
      before.amount === amount && before.from === from && (before.to === to || before.to === fallback);
    return answer(isSame ? 'exists' : 'exists_different', null);
  }
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
