import fc from 'fast-check';
import { getDocumentProxy } from 'unpdf';
import { expect, test } from 'vitest';
import { statementPdf } from './statement-pdf.ts';
import type { Statement, StatementEntry } from './statement.ts';
import { amounts, hostileTexts, instants, ISSUER } from './testing/examples.ts';
import { compact } from './testing/read-pdf.ts';

const ENTRY: StatementEntry = {
  createdAt: '2026-11-22T17:15:00.000Z',
  type: 'transfer',
  reference: 'DF-01JD8Y2Q4V7M',
  direction: 'debit',
  counterparty: '9912091234',
  amount: '1500.00',
  balanceAfter: '18500.00',
  narrative: 'Rent',
};

const DEPOSIT: StatementEntry = {
  ...ENTRY,
  createdAt: '2026-11-21T21:30:00.000Z',
  type: 'deposit',
  reference: 'QKJ41HARMI',
  direction: 'credit',
  counterparty: 'MPESA-FLOAT',
  amount: '20000.00',
  balanceAfter: '20000.00',
  narrative: null,
};

const STATEMENT: Statement = {
  issuer: ISSUER,
  wallet: '4412098848',
  holder: 'J*** M*****',
  currency: 'KES',
  from: '2026-10-31T21:00:00.000Z',
  to: '2026-11-30T21:00:00.000Z',
  madeAt: '2026-12-01T06:00:00.000Z',
  openingBalance: '0.00',
  closingBalance: '18500.00',
  entries: [DEPOSIT, ENTRY],
};

/** The text of each page, and what of it is drawn outside the paper. */
async function read(file: Uint8Array): Promise<{ pages: string[]; outside: string[] }> {
  const document = await getDocumentProxy(new Uint8Array(file));
  const pages: string[] = [];
  const outside: string[] = [];
  for (let number = 1; number <= document.numPages; number += 1) {
    const page = await document.getPage(number);
    const [, , width = 0, height = 0] = page.view;
    const { items } = await page.getTextContent();
    let text = '';
    for (const item of items) {
      if (!('str' in item)) continue;
      text += item.str;
      const [, , , , x = 0, y = 0] = item.transform as number[];
      if (item.str.trim() !== '' && (x < 20 || y < 20 || x + item.width > width - 20 || y > height - 20))
        outside.push(item.str);
    }
    pages.push(compact(text));
  }
  return { pages, outside };
}

test.for([
  [
    'en',
    [
      'Statement',
      'Holder',
      'Opening balance KES 0.00',
      'Closing balance KES 18,500.00',
      'Paid in',
      'Paid out',
    ],
    ['22 Nov 2026, 00:30 EAT Deposit QKJ41HARMI, M-PESA 20,000.00 20,000.00'],
    'Page 1 of 1',
  ],
  [
    'sw',
    [
      'Taarifa ya pochi',
      'Mwenye pochi',
      'Salio la kuanzia KES 0.00',
      'Salio la mwisho KES 18,500.00',
      'Zilizoingia',
    ],
    ['22 Nov 2026, 00:30 EAT Kuweka pesa QKJ41HARMI, M-PESA 20,000.00 20,000.00'],
    'Ukurasa 1 kati ya 1',
  ],
] as const)(
  'in %s it says whose it is, the period, and each movement with its balance',
  async ([language, heads, rows, number]) => {
    const { pages, outside } = await read(await statementPdf(STATEMENT, language));
    expect(outside).toEqual([]);
    const [page = ''] = pages;
    for (const text of [
      'Mwananchi Sacco',
      '4412098848',
      'J*** M*****',
      '1 Nov 2026, 00:00 EAT - 1',
      '******1234: Rent 1,500.00 18,500.00',
      ...heads,
      ...rows,
      number,
    ]) {
      expect(page).toContain(compact(text));
    }
    expect(page).not.toContain('9912091234');
  },
);

test('a long statement has its head on every page, and every movement once', async () => {
  const entries = Array.from({ length: 120 }, (_, index) => ({
    ...ENTRY,
    reference: `DF-${String(index).padStart(12, '0')}`,
    narrative: index % 7 === 0 ? 'a long narrative that takes more lines than one '.repeat(3).trim() : null,
  }));
  const { pages, outside } = await read(await statementPdf({ ...STATEMENT, entries }, 'en'));
  expect(outside).toEqual([]);
  expect(pages.length).toBeGreaterThan(2);
  for (const [index, page] of pages.entries()) {
    expect(page).toContain(compact(`Page ${index + 1} of ${pages.length}`));
    expect(page).toContain(compact('Paid in'));
  }
  const all = pages.join('');
  for (const { reference } of entries) expect(all.split(reference)).toHaveLength(2);
});

test('a wallet without movements has a statement too', async () => {
  const { pages } = await read(
    await statementPdf({ ...STATEMENT, issuer: null, from: null, to: null, entries: [] }, 'en'),
  );
  expect(pages[0]).toContain(compact('the beginning - 1 Dec 2026, 09:00 EAT'));
});

test('the same statement gives the same bytes', async () => {
  const [one, other] = [await statementPdf(STATEMENT, 'en'), await statementPdf({ ...STATEMENT }, 'en')];
  expect(Buffer.compare(one, other)).toBe(0);
});

test('whatever a movement holds stays on the paper', async () => {
  const entries = fc.array(
    fc.record({
      createdAt: instants.map((each) => each.toISOString()),
      type: fc.constantFrom('deposit', 'transfer', 'assignment'),
      reference: hostileTexts.map((text) => text.slice(0, 50)),
      direction: fc.constantFrom('debit', 'credit'),
      counterparty: hostileTexts.map((text) => text.slice(0, 20)),
      amount: amounts,
      balanceAfter: amounts,
      narrative: fc.option(hostileTexts.map((text) => text.slice(0, 255))),
    }),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(entries, async (some) => {
      const { outside } = await read(await statementPdf({ ...STATEMENT, entries: some }, 'sw'));
      expect(outside).toEqual([]);
    }),
    { numRuns: 25 },
  );
});
