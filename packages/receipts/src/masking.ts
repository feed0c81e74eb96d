import { shownType } from './receipt-facts.ts';
import type { Issuer, Party, ReceiptFacts, ReceiptFee, ShownType } from './receipt-facts.ts';

/** One side of a receipt as it may be shown. */
export interface MaskedParty {
  readonly kind: Lowercase<Party['kind']>;
  /** `******8848`; null for a system wallet, whose number tells nobody anything. */
  readonly number: string | null;
  /** `J*** M*****`, or the plain English label of a system wallet; null when no name is known. */
  readonly name: string | null;
}

/** The facts of a receipt as they may be shown: the only form that is signed, drawn or sent. */
export interface MaskedFacts {
  readonly reference: string;
  readonly type: ShownType;
  readonly amount: string;
  readonly currency: 'KES';
  /** ISO 8601 in UTC with milliseconds. */
  readonly createdAt: string;
  readonly verificationHash: string;
  readonly from: MaskedParty;
  readonly to: MaskedParty;
  // Absent from receipts of version 1, which did not say so much.
  /** ISO 8601 in UTC with milliseconds: when M-PESA says that it was paid. */
  readonly paidAt?: string | null;
  readonly fee?: ReceiptFee | null;
  readonly narrative?: string | null;
  /** Whose receipt it is; null if not configured. */
  readonly issuer?: Issuer | null;
}

/** Labels of the system wallets, by their number in the ledger. */
export const SYSTEM_LABELS: ReadonlyMap<string, string> = new Map([
  ['MPESA-FLOAT', 'M-PESA'],
  ['SUSPENSE', 'Suspense account'],
  ['FEES', 'Fees'],
]);

const UNNAMED_SYSTEM_WALLET = 'System account';

/** Names beyond these words are not hinted at: the payer recognises a name by its beginning. */
const LONGEST_NAME_IN_WORDS = 4;
const SHOWN_DIGITS = 4;

/** Masks both parties. Everything that leaves this package went through here. */
export function maskFacts(facts: ReceiptFacts, issuer: Issuer | null = null): Required<MaskedFacts> {
  return {
    reference: facts.reference,
    type: shownType(facts.type),
    amount: facts.amount,
    currency: facts.currency,
    createdAt: facts.createdAt.toISOString(),
    verificationHash: facts.verificationHash,
    from: maskParty(facts.from),
    to: maskParty(facts.to),
    paidAt: facts.paidAt?.toISOString() ?? null,
    fee: facts.fee ?? null,
    narrative: facts.narrative ?? null,
    issuer: issuer === null ? null : { name: issuer.name, contact: issuer.contact },
  };
}

function maskParty({ kind, number, name }: Party): MaskedParty {
  if (kind === 'SYSTEM')
    return { kind: 'system', number: null, name: SYSTEM_LABELS.get(number) ?? UNNAMED_SYSTEM_WALLET };
  return { kind: 'customer', number: maskNumber(number), name: name === null ? null : maskName(name) };
}

/**
 * The initial of each word, then stars: `John Mwangi` becomes `J*** M*****`. Three to five stars each, so that very
 * short and very long words do not show their length. An initial that is no letter or digit becomes a star, which
 * leaves nothing in the result that could be markup or turn the reading direction. Null when nothing is left.
 */
export function maskName(name: string): string | null {
  const words = name
    .normalize('NFC')
    // Invisible characters: controls, marks of direction, joiners, lone surrogates.
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}]/gu, '')
    .split(/\p{White_Space}+/u)
    .filter((word) => word !== '')
    .slice(0, LONGEST_NAME_IN_WORDS);
  return words.length === 0 ? null : words.map(maskWord).join(' ');
}

function maskWord(word: string): string {
  const [initial = ''] = word;
  const stars = Math.min(Math.max([...word].length - 1, 3), 5);
  return `${/[\p{L}\p{N}]/u.test(initial) ? initial : '*'}${'*'.repeat(stars)}`;
}

/** The last four digits behind stars; of a number shorter than eight signs, at most half. */
export function maskNumber(number: string): string {
  const signs = [...number];
  const shown = Math.min(SHOWN_DIGITS, Math.floor(signs.length / 2));
  const end = signs.slice(signs.length - shown).map((sign) => (/[\p{L}\p{N}-]/u.test(sign) ? sign : '*'));
  return `${'*'.repeat(signs.length - shown)}${end.join('')}`;
}
