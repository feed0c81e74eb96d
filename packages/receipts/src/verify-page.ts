import { markup } from './html.ts';
import type { Html } from './html.ts';
import type { Language } from './language.ts';
import { maskFacts } from './masking.ts';
import type { MaskedFacts } from './masking.ts';
import { renderPage } from './page.ts';
import { formatAmount, present, shownIssuer } from './presentation.ts';
import { AMOUNT } from './receipt-facts.ts';
import type { Issuer, ReceiptFacts } from './receipt-facts.ts';
import { ReceiptError } from './errors.ts';
import { renderAmount, renderLanguageLink, renderRow } from './receipt-html.ts';
import { VERIFY_STYLES } from './verify-styles.ts';
import { WORDINGS } from './wording.ts';
import type { VerdictWording, Wording } from './wording.ts';

/**
 * What a check found. A receipt that is not genuine has no facts, and no reason either: a wrong hash and an unknown
 * reference must look the same.
 */
export type Verdict =
  | {
      readonly genuine: true;
      readonly facts: ReceiptFacts;
      /** What was given back of it so far, such as `"500.00"`; absent when nothing was. */
      readonly reversedAmount?: string;
    }
  | { readonly genuine: false };

type GenuineVerdict = Extract<Verdict, { genuine: true }>;

/** The verdict as JSON, with masked facts. */
export type VerdictJson =
  | ({ readonly genuine: true; readonly reversedAmount: string | null } & Required<MaskedFacts>)
  | { readonly genuine: false };

/**
 * The public page that shows in a second whether a receipt is genuine. It needs no script and no other file. For a
 * receipt that is not genuine the page is the same, byte for byte, whatever was asked.
 *
 * @throws ReceiptError `AMOUNT_INVALID` for a `reversedAmount` that is not a sum
 */
export function verifyPage({ verdict, language, issuer = null }: VerifyPage): string {
  const words = WORDINGS[language];
  const foot = renderFoot(issuer, words, language);
  return verdict.genuine
    ? genuinePage(verdict, { words, language, foot })
    : notGenuinePage(words.verdict, { language, foot });
}

export interface VerifyPage {
  readonly verdict: Verdict;
  readonly language: Language;
  /** Whose receipts they are; null if not configured. */
  readonly issuer?: Issuer | null;
}

interface Surroundings {
  readonly language: Language;
  readonly foot: Html;
}

/** Whose page this is, whom to ask, and the way to the other language. */
function renderFoot(issuer: Issuer | null, words: Wording, language: Language): Html {
  const shown = issuer === null ? null : shownIssuer(issuer, words);
  return markup`<footer>
      <p class="issuer" data-field="issuer"><bdi>${shown?.name ?? ''}</bdi></p>
      <p data-field="contact"><bdi>${shown?.contact ?? ''}</bdi></p>
      ${renderLanguageLink(language)}
    </footer>`;
}

/**
 * The same for programs.
 *
 * @throws ReceiptError `AMOUNT_INVALID`
 */
export function verdictJson(verdict: Verdict, issuer: Issuer | null = null): VerdictJson {
  if (!verdict.genuine) return { genuine: false };
  return { genuine: true, ...maskFacts(verdict.facts, issuer), reversedAmount: reversedAmountOf(verdict) };
}

function genuinePage(
  verdict: GenuineVerdict,
  { words, language, foot }: Surroundings & { readonly words: Wording },
): string {
  const facts = maskFacts(verdict.facts);
  const shown = present(facts, words);
  const reversed = reversedAmountOf(verdict);
  const say = words.verdict;
  const title = reversed === null ? say.genuine : say.reversed;
  const help = reversed === null ? say.genuineHelp : say.reversedHelp(formatAmount(facts.currency, reversed));
  return renderPage({
    language,
    title,
    styles: VERIFY_STYLES,
    body: markup`<div class="${reversed === null ? 'genuine' : 'reversed'}">
      <header>
        ${reversed === null ? tick : exclamation}
        <h1>${title}</h1>
        <p>${help}</p>
      </header>
      <main>
        ${renderAmount(shown)}
        <dl>${shown.rows.map(renderRow)}</dl>
        <p>${say.compare}</p>
      </main>
      ${foot}
    </div>`,
  });
}

function notGenuinePage(say: VerdictWording, { language, foot }: Surroundings): string {
  return renderPage({
    language,
    title: say.notGenuine,
    styles: VERIFY_STYLES,
    body: markup`<div class="not-genuine">
      <header>
        ${cross}
        <h1>${say.notGenuine}</h1>
        <p>${say.notGenuineHelp}</p>
      </header>
      <main>
        <p class="strong">${say.notGenuineAdvice}</p>
        <p>${say.scanAgain}</p>
      </main>
      ${foot}
    </div>`,
  });
}

function reversedAmountOf({ reversedAmount }: GenuineVerdict): string | null {
  if (reversedAmount === undefined) return null;
  if (!AMOUNT.test(reversedAmount)) {
    throw new ReceiptError('AMOUNT_INVALID', 'pass what was reversed as a decimal string with two decimals');
  }
  return reversedAmount;
}

// The signs repeat what the words beside them say, so readers of the screen aloud skip them.
const tick = verdictSign(markup`<circle cx="12" cy="12" r="11" /><path d="M6 12.5l4 4 8-9" />`);
const cross = verdictSign(markup`<path d="M1 1h22v22H1z" /><path d="M7 7l10 10M17 7L7 17" />`);
const exclamation = verdictSign(markup`<path d="M12 2L1 22h22z" /><path d="M12 9v6M12 18v1" />`);

function verdictSign(shape: Html): Html {
  return markup`<svg aria-hidden="true" viewBox="0 0 24 24" fill="none" stroke="#fff" stroke-width="2">
    ${shape}
  </svg>`;
}
