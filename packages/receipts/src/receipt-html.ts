import { markup } from './html.ts';
import type { Html } from './html.ts';
import { otherLanguage } from './language.ts';
import type { Language } from './language.ts';
import { renderPage } from './page.ts';
import { present } from './presentation.ts';
import type { Presentation, Row, ShownIssuer } from './presentation.ts';
import { QUIET_ZONE, qrCode } from './qr-code.ts';
import { receiptStyles } from './receipt-styles.ts';
import type { Paper } from './receipt-styles.ts';
import type { Receipt } from './signed-receipt.ts';
import { typedUrl, verifyUrlIn } from './verify-url.ts';
import { WORDINGS } from './wording.ts';
import type { Wording } from './wording.ts';

export interface RenderOptions {
  /** Default: A4. `roll` is an 80 mm till roll. */
  readonly paper?: Paper;
  /** Default: English. */
  readonly language?: Language;
}

/** The name under which a page carries its signed receipt. */
export const JWS_META = 'daftari-receipt';

/** Characters of a sum that fit on one line of a small phone or a till roll in large letters. */
const LONG_AMOUNT = 16;

/**
 * The receipt as one HTML document, for the screen and for paper. It needs no other file and no script, and carries
 * the signed receipt in a `meta` element, so that a saved copy can be checked offline. The same receipt and options
 * give the same bytes.
 */
export function receiptHtml(receipt: Receipt, { paper = 'a4', language = 'en' }: RenderOptions = {}): string {
  const words = WORDINGS[language];
  const shown = present(receipt.facts, words);
  const url = shown.isFirstVersion ? receipt.verifyUrl : verifyUrlIn(receipt.verifyUrl, language);
  return renderPage({
    language,
    title: `${words.receipt}: ${shown.type}, ${shown.amount}`,
    styles: receiptStyles(paper, shown),
    head: markup`<meta name="${JWS_META}" content="${receipt.jws}">`,
    body: markup`<main>
      ${shown.isFirstVersion ? '' : renderHead({ issuer: shown.issuer, language, paper })}<h1>${words.receipt}</h1>
      ${renderAmount(shown)}
      <dl>${shown.rows.map(renderRow)}</dl>
      <div class="check">
        <a class="code" href="${url}">${renderQrCode(url, words.qrCode)}</a>
        <div>
          <p>${words.scan}</p>
          <p class="on-screen"><a href="${url}">${words.openCheck}</a></p>
          <p class="small">${shown.hash.label}</p>
          <p class="hash" data-field="hash">${shown.hash.value}</p>
          <p class="small">${words.signed}</p>
        </div>
      </div>${shown.isFirstVersion ? '' : renderFoot({ url: receipt.verifyUrl, shown, words })}
    </main>`,
  });
}

interface Head {
  readonly issuer: ShownIssuer | null;
  readonly language: Language;
  readonly paper: Paper;
}

/** Whose receipt it is, and the way to the other language. */
function renderHead({ issuer, language, paper }: Head): Html {
  const query = paper === 'a4' ? '' : `&paper=${paper}`;
  return markup`<div class="head">
        <p class="issuer" data-field="issuer"><bdi>${issuer?.name ?? ''}</bdi></p>
        ${renderLanguageLink(language, query)}
      </div>
      `;
}

/** A link to the same page in the other language, named as its readers name it. */
export function renderLanguageLink(language: Language, query = ''): Html {
  const other = otherLanguage(language);
  return markup`<p class="on-screen language"><a lang="${other}" hreflang="${other}" href="?lang=${other}${query}">${WORDINGS[other].ownName}</a></p>`;
}

function renderFoot({ url, shown, words }: { url: string; shown: Presentation; words: Wording }): Html {
  return markup`
      <div class="foot">
        <p class="small">${words.orOpen}</p>
        <p class="address" data-field="address">${typedUrl(url)}</p>
        <p class="small" data-field="contact"><bdi>${shown.issuer?.contact ?? ''}</bdi></p>
      </div>`;
}

/** `bdi` keeps a name or reference in another script from reordering what stands beside it. */
export function renderRow({ field, label, value }: Row): Html {
  return markup`<div>
    <dt>${label}</dt>
    <dd data-field="${field}"><bdi>${value}</bdi></dd>
  </div>`;
}

/** A long sum gets smaller letters, and breaks between its groups of digits if it must. */
export function renderAmount({ amountLabel, amount }: Presentation): Html {
  const groups = amount
    .split(',')
    .map((group, index) => (index === 0 ? markup`${group}` : markup`,<wbr />${group}`));
  return markup`<p class="label">${amountLabel}</p>
<p class="amount${amount.length > LONG_AMOUNT ? ' long' : ''}" data-field="amount">${groups}</p>`;
}

function renderQrCode(text: string, label: string): Html {
  const { size, runs } = qrCode(text);
  const path = runs.map(({ x, y, length }) => `M${x} ${y}h${length}v1h-${length}z`).join('');
  const side = size + 2 * QUIET_ZONE;
  const viewBox = `${-QUIET_ZONE} ${-QUIET_ZONE} ${side} ${side}`;
  return markup`<svg role="img" aria-label="${label}" viewBox="${viewBox}" shape-rendering="crispEdges">
    <path fill="#fff" d="M${-QUIET_ZONE} ${-QUIET_ZONE}h${side}v${side}h-${side}z" />
    <path fill="#000" d="${path}" />
  </svg>`;
}
