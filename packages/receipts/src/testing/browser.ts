import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Where a browser is installed. Without one it returns null and says so loudly. */
export function findBrowser(): string | null {
  const found = PLACES.find((place) => existsSync(place)) ?? null;
  if (found === null) {
    process.stderr.write(
      '\n*** NO BROWSER FOUND: the pages of receipts are NOT tested. Install Chromium (apt-get install chromium). ***\n\n',
    );
  }
  return found;
}

/** How long a busy machine may take to start a browser or to show a page. */
export const PATIENCE_MS = 120_000;

/** A browser with an empty profile of its own that talks to nobody. */
export function launchBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    timeout: PATIENCE_MS,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
