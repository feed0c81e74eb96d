import type { PlacedText } from './placed-text.ts';

/** The columns of a payer's statement, by the word with which their names begin. */
const WORDS = {
  receipt: /^receipt/i,
  completed: /^completion/i,
  details: /^details/i,
  status: /^(transaction|status)/i,
  paidIn: /^paid/i,
  withdrawn: /^withdraw/i,
  balance: /^balance/i,
} as const;

export type PayerColumn = keyof typeof WORDS;

const NUMERIC = ['paidIn', 'withdrawn', 'balance'] as const;

/** Where the columns of a page are. */
export interface PayerColumns {
  /** Base line of the last line of the header. */
  readonly y: number;
  readonly places: ReadonlyMap<PayerColumn, { readonly left: number; readonly right: number }>;
}

const AMOUNT = /^-?(KSHS?\.?\s*)?-?[\d,]+\.\d{2}$/i;

/** Points by which texts of one column may begin beside each other. */
const SLACK = 4;

/** The columns that a page names; null when it names none. Their names may stand in two lines. */
export function columnsOf(texts: readonly PlacedText[]): PayerColumns | null {
  for (const first of texts) {
    if (!WORDS.receipt.test(first.text)) continue;
    const band = texts.filter(({ y, height }) => Math.abs(y - first.y) <= 2 * Math.max(height, first.height));
    const places = new Map<PayerColumn, { left: number; right: number }>();
    for (const column of Object.keys(WORDS) as PayerColumn[]) {
      const found = column === 'receipt' ? first : band.find(({ text }) => WORDS[column].test(text));
      if (found !== undefined) places.set(column, { left: found.left, right: found.right });
    }
    if (places.size < Object.keys(WORDS).length) continue;
    const names = band.filter(({ left, right }) =>
      [...places.values()].some((place) => left < place.right && right > place.left),
    );
    return { y: Math.max(first.y, ...names.filter(isName).map(({ y }) => y)), places };
  }
  return null;
}

/** The column that a text stands in. Amounts may stand left or right in theirs, and be wider than its name. */
export function columnOf({ text, left, right }: PlacedText, { places }: PayerColumns): PayerColumn | null {
  if (AMOUNT.test(text)) {
    const distance = (column: PayerColumn): number => {
      const place = places.get(column) ?? { left: Infinity, right: Infinity };
      const centre = Math.abs(left + right - place.left - place.right) / 2;
      return Math.min(Math.abs(left - place.left), Math.abs(right - place.right), centre);
    };
    const [nearest] = [...NUMERIC].toSorted((a, b) => distance(a) - distance(b));
    if (nearest !== undefined && left >= (places.get('details')?.left ?? 0)) return nearest;
  }
  const before = [...places].filter(([, place]) => place.left <= left + SLACK);
  const [last] = before.toSorted(([, a], [, b]) => b.left - a.left);
  return last?.[0] ?? null;
}

function isName({ text }: PlacedText): boolean {
  return /^[a-z. ]+$/i.test(text);
}
