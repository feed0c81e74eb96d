export type Paper = 'a4' | 'roll';

/** A till roll is 80 mm wide; printers cut behind the last line, so the page is as high as the longest receipt. */
const pageSize: Readonly<Record<Paper, string>> = {
  a4: '@page { size: A4; margin: 20mm }',
  roll: '@page { size: 80mm 190mm; margin: 4mm }',
};

const common = `
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
h1 { margin: 0; font-size: 1.125rem; color: var(--soft); font-weight: 600 }
.amount { margin: 4px 0 16px; font-size: 2rem; line-height: 1.15; font-weight: 700; overflow-wrap: anywhere }
dl { margin: 0; border-top: 1px solid var(--line) }
dl > div { display: flex; flex-wrap: wrap; gap: 0 16px; padding: 8px 0; border-bottom: 1px solid var(--line) }
dt { flex: 0 0 11rem; color: var(--soft) }
dd { flex: 1 1 12rem; min-width: 0; margin: 0; font-weight: 600; overflow-wrap: anywhere }
.check { display: flex; flex-wrap: wrap; gap: 16px; align-items: center; margin-top: 20px }
.check > div { flex: 1 1 12rem; min-width: 0 }
.code { display: block; width: 176px; flex: none; background: #fff; border-radius: 4px }
.code svg { display: block; width: 100%; height: auto }
p { margin: 0 0 8px }
a { color: var(--link) }
.small { color: var(--soft); font-size: 0.875rem }
.hash { font: 0.8125rem/1.4 ui-monospace, 'Liberation Mono', Menlo, Consolas, monospace; overflow-wrap: anywhere }
`;

const print = `
@media print {
  :root { --ink: #000; --soft: #333; --line: #999; --paper: #fff; --ground: #fff; --link: #000 }
  body { padding: 0; background: none }
  main { max-width: none; margin: 0; padding: 0; border: 0; border-radius: 0; break-inside: avoid }
  .on-screen { display: none }
  a { text-decoration: none }
}
`;

const a4Print = `
@media print {
  body { font-size: 12pt }
  .code { width: 45mm }
}
`;

/** On a roll everything is one column, and grey is avoided: heat printers know black only. */
const roll = `
main { max-width: 80mm; padding: 4mm }
.amount { font-size: 1.5rem }
dt, dd { flex: 1 1 100% }
.check { display: block; text-align: center }
.code { width: 46mm; margin: 0 auto 8px }
@media print {
  :root { --soft: #000; --line: #000 }
  body { font-size: 10pt; line-height: 1.3 }
  main { padding: 0 }
  dl > div { padding: 1.2mm 0; border-bottom-style: dotted }
}
`;

export const receiptStyles: Readonly<Record<Paper, string>> = {
  a4: `${pageSize.a4}${common}${print}${a4Print}`,
  roll: `${pageSize.roll}${common}${print}${roll}`,
};
