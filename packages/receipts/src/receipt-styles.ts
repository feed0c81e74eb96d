import type { Presentation } from './presentation.ts';

export type Paper = 'a4' | 'roll';

const COMMON = `
:root {
  color-scheme: light dark;
  --ink: #16201c; --soft: #4a5a53; --line: #c3cec8; --paper: #ffffff; --ground: #eef2f0; --link: #0b5a3c;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #eef4f1; --soft: #b4c2bb; --line: #46544d; --paper: #1a211e; --ground: #0f1412; --link: #7fd8b0; }
}
* { box-sizing: border-box }
body {
  margin: 0; padding: 16px; background: var(--ground); color: var(--ink);
  font: 16px/1.45 system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif;
}
main {
  max-width: 38rem; margin: 0 auto; padding: 24px; background: var(--paper);
  border: 1px solid var(--line); border-radius: 12px;
}
h1 { margin: 0; font-size: 1.25rem }
.label { margin: 12px 0 0; color: var(--soft) }
.amount { margin: 0 0 16px; font-size: 2rem; line-height: 1.15; font-weight: 700; overflow-wrap: anywhere }
.amount.long { font-size: 1.25rem }
dl { margin: 0; border-top: 1px solid var(--line) }
dl > div { display: flex; flex-wrap: wrap; gap: 0 16px; padding: 8px 0; border-bottom: 1px solid var(--line) }
dt { flex: 0 0 12.5rem; color: var(--soft) }
dd { flex: 1 1 12rem; min-width: 0; margin: 0; font-weight: 600; overflow-wrap: anywhere }
.check { display: flex; flex-wrap: wrap; gap: 16px; align-items: center; margin-top: 20px }
.check > div { flex: 1 1 12rem; min-width: 0 }
.code { display: block; width: 176px; flex: none; background: #fff; border-radius: 4px }
.code svg { display: block; width: 100%; height: auto }
p { margin: 0 0 8px }
a { color: var(--link) }
.small { color: var(--soft); font-size: 0.875rem }
.hash { font: 0.8125rem/1.4 ui-monospace, 'Liberation Mono', Menlo, Consolas, monospace; overflow-wrap: anywhere; max-width: 32.5ch }
`;

const PRINT = `
@media print {
  :root { --ink: #000; --soft: #333; --line: #999; --paper: #fff; --ground: #fff; --link: #000 }
  body { padding: 0; background: none }
  main { max-width: none; margin: 0; padding: 0; border: 0; border-radius: 0; break-inside: avoid }
  .on-screen { display: none }
  a { text-decoration: none }
}
`;

const A4_PRINT = `
@media print {
  body { font-size: 12pt }
  .code { width: 45mm }
}
`;

/** On a roll everything is one column, and grey is avoided: heat printers know black only. */
const ROLL = `
main { max-width: 80mm; padding: 4mm }
.label { margin-top: 2mm }
.amount { font-size: 1.5rem }
dt, dd { flex: 1 1 100% }
.check { display: block; text-align: center }
.code { width: 46mm; margin: 0 auto 8px }
.hash { margin: 0 auto 8px }
@media print {
  :root { --soft: #000; --line: #000 }
  body { font-size: 10pt; line-height: 1.3 }
  main { padding: 0 }
  dl > div { padding: 1.2mm 0; border-bottom-style: dotted }
}
`;

/** Everything of a receipt on a roll whose rows take a line each. */
const ROLL_HEIGHT_MM = 180;
const ROLL_LINE_MM = 5;
/** The issuer and the address in print. */
const ROLL_MORE_MM = 60;
/** Rows that are in ROLL_HEIGHT_MM, and what one more takes. */
const ROLL_ROWS = 5;
const ROLL_ROW_MM = 14;
/** How many of the broadest letters in print. */
const ROLL_LINE_CHARACTERS = 18;

/** What receipts have since version 2. */
const SECOND = `
.head { display: flex; flex-wrap: wrap; gap: 4px 16px; justify-content: space-between; margin-bottom: 8px }
.head p { margin: 0 }
.issuer { font-weight: 700; font-size: 1.125rem; overflow-wrap: anywhere; min-width: 0 }
.foot { margin-top: 16px; padding-top: 12px; border-top: 1px solid var(--line) }
.foot p { margin: 0 0 4px; overflow-wrap: anywhere }
.address { font-size: 0.8125rem }
`;

/** Long texts that would need a second page in letters of the usual size. */
const SMALL = `
@media print { body { font-size: 9pt } .code { width: 36mm } dl > div { padding: 4px 0 } }
`;

/** Characters on a sheet that fit in letters of the usual size. */
const USUAL_CHARACTERS = 400;

type Shown = Pick<Presentation, 'rows' | 'isFirstVersion' | 'issuer'>;

/** The styles for a paper. What a receipt shows decides nothing but the size of its letters, or the length of the roll. */
export function receiptStyles(paper: Paper, shown: Shown): string {
  const more = shown.isFirstVersion ? '' : SECOND;
  if (paper === 'a4') {
    const isLong = !shown.isFirstVersion && textsOf(shown).join('').length > USUAL_CHARACTERS;
    return `@page { size: A4; margin: 20mm }${COMMON}${more}${PRINT}${A4_PRINT}${isLong ? SMALL : ''}`;
  }
  return `@page { size: 80mm ${rollHeight(shown)}mm; margin: 4mm }${COMMON}${more}${PRINT}${ROLL}`;
}

/**
 * CSS has no page that is as long as its content, so the length is estimated, generously: a page too long wastes some
 * paper, one too short cuts a receipt in two.
 */
function rollHeight(shown: Shown): number {
  const { rows, isFirstVersion } = shown;
  const lines = textsOf(shown).map((text) => Math.ceil(text.length / ROLL_LINE_CHARACTERS) - 1);
  const broken = ROLL_LINE_MM * lines.reduce((sum, one) => sum + one, 0);
  if (isFirstVersion) return ROLL_HEIGHT_MM + broken;
  return ROLL_HEIGHT_MM + ROLL_MORE_MM + ROLL_ROW_MM * Math.max(0, rows.length - ROLL_ROWS) + broken;
}

function textsOf({ rows, issuer }: Shown): string[] {
  return [
    ...rows.map(({ value }) => value),
    ...(issuer === null ? [] : [issuer.name, issuer.contact ?? ' ']),
  ];
}
