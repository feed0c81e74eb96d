/**
 * Styles of the public verify page. The verdict fills the first screen of a small phone; its three kinds differ in
 * word, sign and frame, not by colour alone. All pairs of colours have a contrast of at least 7:1.
 */
export const VERIFY_STYLES = `
:root {
  color-scheme: light dark;
  --ink: #16201c; --soft: #44534c; --line: #c3cec8; --paper: #fff;
  --good: #0b4f33; --bad: #8a1010; --warn: #5c3d00; --on: #fff;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #eef4f1; --soft: #b9c6c0; --line: #46544d; --paper: #141a17 }
}
* { box-sizing: border-box }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 18px/1.4 system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif;
}
header { padding: 24px 16px; color: var(--on); text-align: center }
.genuine header { background: var(--good) }
.not-genuine header { background: var(--bad); border-bottom: 8px dashed var(--on) }
.reversed header { background: var(--warn); border-bottom: 8px double var(--on) }
svg { display: block; width: 88px; height: 88px; margin: 0 auto 8px }
h1 { margin: 0 0 4px; font-size: 2rem; line-height: 1.15 }
p { margin: 0 0 12px }
header p { margin: 0 }
main { max-width: 34rem; margin: 0 auto; padding: 16px }
.amount { margin: 0 0 8px; font-size: 2rem; line-height: 1.15; font-weight: 700; overflow-wrap: anywhere }
.amount.long { font-size: 1.25rem }
dl { margin: 0 0 16px; border-top: 1px solid var(--line) }
dl > div { padding: 8px 0; border-bottom: 1px solid var(--line) }
dt, .label { margin: 0; color: var(--soft); font-size: 0.875rem }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere }
.strong { font-weight: 700 }
footer { max-width: 34rem; margin: 0 auto; padding: 0 16px 24px; font-size: 1rem; overflow-wrap: anywhere }
footer p { margin: 0 0 4px }
.issuer { font-weight: 700 }
a { color: inherit }
.language { padding: 8px 0 }
@media (min-width: 600px) {
  dl > div { display: grid; grid-template-columns: 11rem 1fr; align-items: baseline }
}
`;
