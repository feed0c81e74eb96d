/**
 * Why a wallet may have been meant: `near_number`, one digit of what was typed differs or two neighbours are swapped;
 * `account_phone`, what was typed is its holder's phone number, and that of other wallets; `payer_phone` and
 * `payer_phone_hash`, it is the only wallet of the number that paid; `payer_mask_and_name`, that number came masked, what is shown
 * of it fits, and a word of the payer's name is in its holder's.
 */
export type SuggestionReason =
  'near_number' | 'account_phone' | 'payer_phone' | 'payer_phone_hash' | 'payer_mask_and_name';

/** A wallet that a payer may have meant. */
export interface Suggestion {
  readonly wallet: string;
  readonly reason: SuggestionReason;
}

/**
 * The suggestions of a row `l` of services.mpesa_logs as SQL: worked out when they are read and not when the payment
 * came, so that a wallet which has been opened since is among them, and one which has been closed is not.
 */
export const SUGGESTIONS = `
    SELECT string_agg(s.wallet || ' ' || s.reason, ',')
      FROM core.suggest_wallets(l.account, l.phone, l.phone_hash, l.payer_name) AS s`;

/** Reads what `SUGGESTIONS` gives; null stands for none. */
export function suggestionsOf(text: string | null): Suggestion[] {
  if (text === null || text === '') return [];
  return text.split(',').map((each) => {
    const [wallet = '', reason = ''] = each.split(' ');
    return { wallet, reason: reason as SuggestionReason };
  });
}
