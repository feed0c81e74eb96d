import { createHash } from 'node:crypto';
import { Html, markup } from './html.ts';
import type { Language } from './language.ts';

export interface Page {
  readonly language: Language;
  readonly title: string;
  /** CSS of this project's own making; nothing of a receipt may be put into it. */
  readonly styles: string;
  readonly head?: Html;
  readonly body: Html;
}

/**
 * A whole HTML document that loads nothing and runs nothing. Its own policy says so too, for copies that are opened
 * from a disk, where no server sends one.
 */
export function renderPage({ language, title, styles, head, body }: Page): string {
  const digest = createHash('sha256').update(styles, 'utf8').digest('base64');
  const policy = `default-src 'none'; style-src 'sha256-${digest}'; img-src data:; base-uri 'none'; form-action 'none'`;
  return markup`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>${title}</title>
${head ?? ''}
<style>${new Html(styles)}</style>
</head>
<body>
${body}
</body>
</html>
`.source;
}
