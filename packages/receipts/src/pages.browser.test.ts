import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { receiptHtml } from './receipt-html.ts';
import { signReceipt } from './signed-receipt.ts';
import type { Receipt } from './signed-receipt.ts';
import { findBrowser, launchBrowser, PATIENCE_MS } from './testing/browser.ts';
import { decodeCode } from './testing/decode-code.ts';
import { BASE_URL, broadFacts, BROAD_ISSUER, freshKeys, fullFacts, ISSUER } from './testing/examples.ts';
import { leastContrast, overflowing, pixelsOf } from './testing/page-checks.ts';
import { compact, compactText, readPdf } from './testing/read-pdf.ts';
import { verifyPage } from './verify-page.ts';

const installed = findBrowser();
const LANGUAGES = ['en', 'sw'] as const;
const PAPERS = ['a4', 'roll'] as const;

/** WCAG 2.2: 4.5 is level AA, 7 is AAA; a cheap screen in the sun needs the latter. */
const ENHANCED_CONTRAST = 7;

describe.skipIf(installed === null)('in a browser', () => {
  let browser: Browser;
  let folder: string;
  let page: Page;
  let requests: string[];
  let complaints: string[];
  let receipt: Receipt;
  let broad: Receipt;

  beforeAll(async () => {
    const keys = await freshKeys();
    receipt = await signReceipt(keys, fullFacts, { baseUrl: BASE_URL, issuer: ISSUER });
    broad = await signReceipt(keys, broadFacts, { baseUrl: BASE_URL, issuer: BROAD_ISSUER });
    folder = await mkdtemp(join(tmpdir(), 'receipt-pages-'));
    browser = await launchBrowser(installed ?? '');
    const phone = { viewport: { width: 360, height: 640 }, deviceScaleFactor: 2, javaScriptEnabled: false };
    page = await (await browser.newContext(phone)).newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('request', (request) => requests.push(request.url()));
    page.on('console', (message) => complaints.push(message.text()));
  });
  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true });
  });

  beforeEach(async () => {
    await page.emulateMedia({ media: null, colorScheme: null });
    requests = [];
    complaints = [];
  });

  async function open(html: string): Promise<void> {
    const path = join(folder, 'page.html');
    await writeFile(path, html);
    await page.goto(pathToFileURL(path).href);
  }

  const verifyPages = LANGUAGES.flatMap((language) => [
    { name: 'genuine', language, verdict: { genuine: true, facts: fullFacts } as const },
    { name: 'genuine and broad', language, verdict: { genuine: true, facts: broadFacts } as const },
    {
      name: 'reversed',
      language,
      verdict: { genuine: true, facts: broadFacts, reversedAmount: broadFacts.amount } as const,
    },
    { name: 'not genuine', language, verdict: { genuine: false } as const },
  ]);

  describe.each(verifyPages)('the verify page, $name, in $language', ({ language, verdict }) => {
    test('fits a 360-pixel phone, light and dark, in strong contrast, without a script or another request', async () => {
      const html = verifyPage({ verdict, language, issuer: BROAD_ISSUER });
      await open(html);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await leastContrast(page)).toBeGreaterThanOrEqual(ENHANCED_CONTRAST);
        expect(await overflowing(page)).toEqual([]);
      }
      expect(Buffer.byteLength(html)).toBeLessThan(30_000);
      expect([requests.length, complaints]).toEqual([1, []]);
    });

    test('says the verdict in words and with a sign within the first screen', async () => {
      await open(verifyPage({ verdict, language, issuer: BROAD_ISSUER }));
      for (const selector of ['h1', 'header svg', 'header p']) {
        const box = await page.locator(selector).boundingBox();
        expect((box?.y ?? Infinity) + (box?.height ?? 0)).toBeLessThan(640);
      }
      expect(await page.locator('html').getAttribute('lang')).toBe(language);
    });
  });

  const receipts = PAPERS.flatMap((paper) =>
    LANGUAGES.flatMap((language) => [
      { paper, language, name: 'usual' as const },
      { paper, language, name: 'broad' as const },
    ]),
  );

  describe.each(receipts)('the $name receipt for $paper in $language', ({ paper, language, name }) => {
    beforeEach(() => open(receiptHtml(name === 'usual' ? receipt : broad, { paper, language })));

    test('fits a 360-pixel phone, light and dark, in good contrast, without another request', async () => {
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await leastContrast(page)).toBeGreaterThanOrEqual(ENHANCED_CONTRAST);
        expect(await overflowing(page)).toEqual([]);
      }
      expect([requests.length, complaints]).toEqual([1, []]);
    });

    test('has a code that can be read off a dark screen', async () => {
      const { verifyUrl } = name === 'usual' ? receipt : broad;
      // The dark scheme is the harder one: the code must keep its white rim there.
      await page.emulateMedia({ colorScheme: 'dark' });
      expect(decodeCode(await pixelsOf(page, '.code'))).toBe(`${verifyUrl}?lang=${language}`);
    });

    test('prints on one page of its paper, black on white, with all that it says', async () => {
      await page.emulateMedia({ media: 'print' });
      expect(await leastContrast(page)).toBeGreaterThanOrEqual(ENHANCED_CONTRAST);
      const printed = await readPdf(await page.pdf({ preferCSSPageSize: true }));
      expect(printed.pages).toBe(1);
      expect(Math.abs((printed.width / 72) * 25.4 - (paper === 'a4' ? 210 : 80))).toBeLessThan(1);
      const { facts } = name === 'usual' ? receipt : broad;
      for (const text of [
        facts.reference,
        facts.verificationHash,
        facts.from.name ?? '',
        facts.from.number ?? '',
      ]) {
        expect(compactText(printed)).toContain(compact(text));
      }
      const right = Math.max(...printed.texts.map(({ x, width }) => x + width));
      expect(right).toBeLessThan(printed.width - 8);
    });
  });
});
