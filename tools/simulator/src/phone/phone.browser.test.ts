import { findBrowser, launchBrowser, PATIENCE_MS } from '@repo/receipts/testing/browser';
import { leastContrast, overflowing } from '@repo/receipts/testing/page-checks';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DarajaSimulator } from '../daraja/server.ts';
import { startDaraja } from '../daraja/server.ts';
import { PHONE, push, startService, urlsOf } from '../daraja/testing.ts';
import type { TakingService } from '../daraja/testing.ts';
import { createPhone } from './phone.ts';

const installed = findBrowser();

/** WCAG 2.2: 7 is level AAA. */
const ENHANCED_CONTRAST = 7;

describe.skipIf(installed === null)('the phone in a browser', () => {
  let browser: Browser;
  let page: Page;
  let daraja: DarajaSimulator;
  let service: TakingService;
  let complaints: string[];
  const messages: string[] = [];

  beforeAll(async () => {
    browser = await launchBrowser(installed ?? '');
    page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
  });
  afterAll(() => browser.close());

  beforeEach(async () => {
    complaints = [];
    messages.length = 0;
    service = await startService();
    const phone = createPhone(() => daraja, {
      deposit: (receipt) => Promise.resolve(`credited ${receipt}`),
      messages: () => messages,
      ask: async ({ amount, account }) => {
        const { status } = await push(daraja, service, { Amount: amount, AccountReference: account });
        return { said: `HTTP ${String(status)}`, isRefused: status !== 200 };
      },
    });
    daraja = await startDaraja({
      urls: urlsOf(service),
      serveFirst: (...exchange) => phone.serve(...exchange),
    });
    await page.setViewportSize({ width: 360, height: 740 });
    await page.emulateMedia({ colorScheme: null });
    await page.goto(daraja.url);
    await page.getByLabel('Number of this phone').fill(PHONE);
    await page.getByLabel('Number of this phone').press('Tab');
  });
  afterEach(async () => {
    // The page would go on asking a server that has ended.
    await page.goto('about:blank');
    await daraja.close();
  });

  async function askForMoney(amount = '150'): Promise<void> {
    await page.getByLabel('Wallet to pay into').fill('1000000009');
    await page.getByLabel('Amount, in whole shillings').fill(amount);
    await page.getByRole('button', { name: 'Ask' }).click();
    await page.getByRole('button', { name: 'Send' }).waitFor();
  }

  test('a payment by Pay Bill shows what the service answered, the deposit and the SMS that came in', async () => {
    messages.push('Your money has arrived.');
    await page.getByLabel('Account number').fill('1000000009');
    await page.getByLabel('Amount, in shillings').fill('100.50');
    await page.getByRole('button', { name: 'Pay' }).click();
    await page.getByText(/confirmed\. KES 100\.50 sent\./).waitFor();
    const [payment] = daraja.book().payments;
    await page.getByText(`Deposit: credited ${payment?.receipt ?? '-'}`).waitFor();
    await page.getByText('C2B confirmation: HTTP 200 {"ResultCode":0}').waitFor();
    await page.getByText('Your money has arrived.').waitFor();
    expect(payment).toMatchObject({ amount: '100.50', account: '1000000009', phone: PHONE });
    expect(complaints).toEqual([]);
  });

  test('a request rings, and the right PIN pays it', async () => {
    await askForMoney();
    expect(await page.getByRole('alert').textContent()).toContain('A request for a payment');
    expect(await page.title()).toMatch(/^\(1\) /);
    await page.getByText('Pay KES 150 to DAFTARI, account 1000000009?').waitFor();
    await page.getByLabel('M-PESA PIN').fill('1234');
    await page.getByLabel('M-PESA PIN').press('Enter');
    await page.getByText(/by PIN on a request/).waitFor();
    expect(daraja.book().payments).toMatchObject([{ kind: 'stk', amount: '150.00' }]);
    await page.getByLabel('Account number').waitFor();
    expect(complaints).toEqual([]);
  });

  test.each([
    ['cancelled', () => page.getByRole('button', { name: 'Cancel' }).click()],
    ['no-answer', () => page.getByRole('button', { name: 'Ignore' }).click()],
    [
      'wrong-pin',
      async () => {
        await page.getByLabel('M-PESA PIN').fill('4321');
        await page.getByRole('button', { name: 'Send' }).click();
      },
    ],
    [
      'insufficient-funds',
      async () => {
        await page.getByText('Something else happens').click();
        await page.getByLabel('What happens').selectOption('insufficient-funds');
        await page.getByRole('button', { name: 'Let it happen' }).click();
      },
    ],
  ] as const)('a request that ends as %s is shown as not paid', async (outcome, act) => {
    await askForMoney();
    await act();
    await page.getByText(/was not paid/).waitFor();
    expect(daraja.prompts().map((prompt) => prompt.outcome)).toEqual([outcome]);
    expect(daraja.book().payments).toEqual([]);
  });

  test('what cannot be paid is said beside the form', async () => {
    await page.getByLabel('Account number').fill('1000000009');
    await page.getByLabel('Amount, in shillings').fill('0.00');
    await page.getByRole('button', { name: 'Pay' }).click();
    await page.getByText('The amount must be shillings above zero').waitFor();
    await page.getByLabel('Number of this phone').fill('0700');
    await page.getByLabel('Amount, in shillings').fill('1');
    await page.getByRole('button', { name: 'Pay' }).click();
    await page.getByText('must be twelve digits').waitFor();
    expect(daraja.book().payments).toEqual([]);
  });

  test.each([360, 1280])(
    'the page fits a window of %i pixels, light and dark, in strong contrast',
    async (width) => {
      await page.setViewportSize({ width, height: 740 });
      await page.getByLabel('Account number').fill('1000000009');
      await page.getByLabel('Amount, in shillings').fill('100');
      await page.getByRole('button', { name: 'Pay' }).click();
      await page.getByText(/^Deposit/).waitFor();
      await askForMoney();
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await leastContrast(page)).toBeGreaterThanOrEqual(ENHANCED_CONTRAST);
        expect(await overflowing(page)).toEqual([]);
      }
    },
  );

  test('everything can be done with the keyboard, and every field has a name', async () => {
    await askForMoney();
    const unnamed = await page.locator('input, select, button').evaluateAll(
      (fields) =>
        fields.filter((field) => {
          const { labels, textContent } = field as unknown as {
            labels: ArrayLike<unknown>;
            textContent: string;
          };
          return labels.length === 0 && textContent.trim() === '';
        }).length,
    );
    expect(unnamed).toBe(0);
    await page.getByLabel('M-PESA PIN').focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText(/was not paid: Request cancelled by user/).waitFor();
  });
});
