import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { formatAmount } from './presentation.ts';
import { receiptPdf } from './receipt-pdf.ts';
import type { SigningKeys } from './signing-keys.ts';
import { signReceipt } from './signed-receipt.ts';
import type { Receipt } from './signed-receipt.ts';
import { decodeCode, paint } from './testing/decode-code.ts';
import type { Rectangle } from './testing/decode-code.ts';
import {
  anyFacts,
  BASE_URL,
  broadFacts,
  BROAD_ISSUER,
  exampleFacts,
  freshKeys,
  fullFacts,
  ISSUER,
  SUSPENSE,
} from './testing/examples.ts';
import { compact, compactText, filledRectangles, readPdf } from './testing/read-pdf.ts';
import type { ReadPdf } from './testing/read-pdf.ts';

let keys: SigningKeys;
let receipt: Receipt;
let broad: Receipt;

beforeAll(async () => {
  keys = await freshKeys();
  receipt = await signReceipt(keys, exampleFacts({ to: SUSPENSE }), { baseUrl: BASE_URL, issuer: ISSUER });
  broad = await signReceipt(keys, broadFacts, { baseUrl: BASE_URL, issuer: BROAD_ISSUER });
});

const PAPERS = ['a4', 'roll'] as const;

describe.each(PAPERS)('on %s', (paper) => {
  test('its text is the transaction', async () => {
    const text = compactText(await readPdf(await receiptPdf(receipt, { paper })));
    expect(text).toBe(
      compact(`Mwananchi Sacco Receipt Amount KES 1,500.00
        Type Transfer
        Date and time 22 Nov 2026, 20:15 EAT
        From J*** M*****, ******8848
        To Suspense account
        Reference number TRF-01JD8Y2Q4V7M
        Scan this QR code to check the receipt.
        Verification hash ${exampleFacts().verificationHash}
        Digitally signed: any change to it can be found.
        Or open this address: ${receipt.verifyUrl.replace('https://', '')}
        Questions? 0700 000 000`),
    );
  });

  test('its text in Swahili is the transaction', async () => {
    const text = compactText(await readPdf(await receiptPdf(receipt, { paper, language: 'sw' })));
    expect(text).toContain(
      compact(`Risiti Kiasi KES 1,500.00
        Aina Kutuma pesa
        Tarehe na saa 22 Nov 2026, 20:15 EAT
        Kutoka J*** M*****, ******8848
        Kwenda Akaunti ya muda
        Nambari ya kumbukumbu TRF-01JD8Y2Q4V7M`),
    );
  });

  test('it says when it was paid, the fee and what it was for', async () => {
    const full = await signReceipt(keys, fullFacts, { baseUrl: BASE_URL, issuer: ISSUER });
    const text = compactText(await readPdf(await receiptPdf(full, { paper, language: 'sw' })));
    expect(text).toContain(
      compact(`Imelipwa 22 Nov 2026, 20:14 EAT
        Imerekodiwa 22 Nov 2026, 20:15 EAT
        Kutoka J*** M*****, ******8848
        Kwenda W***** N**** K****, ******1234
        Ada KES 15.00, imelipwa na mpokeaji
        Maelezo Rent for November`),
    );
  });

  test('the code that is drawn says where to check it, and so does the link on it', async () => {
    for (const language of ['en', 'sw'] as const) {
      const file = await receiptPdf(receipt, { paper, language });
      const url = `${receipt.verifyUrl}?lang=${language}`;
      expect(decodeCode(paint(await filledRectangles(file)))).toBe(url);
      expect((await readPdf(file)).links).toEqual([url]);
    }
  });

  test('the code has its quiet zone, and modules of half a millimetre at least', async () => {
    const file = await receiptPdf(receipt, { paper });
    const { texts, width } = await readPdf(file);
    const rectangles = await filledRectangles(file);
    const module = Math.min(...rectangles.map(({ height }) => height));
    const box = surround(boxAround(rectangles), 4 * module);
    expect((module / 72) * 25.4).toBeGreaterThan(0.5);
    expect(texts.filter((text) => overlap(text, box))).toEqual([]);
    expect([box.x >= 0, box.x + box.width <= width]).toEqual([true, true]);
  });

  test('the signed receipt is in the file', async () => {
    const { keywords } = await readPdf(await receiptPdf(receipt, { paper }));
    expect(keywords).toBe(receipt.jws);
  });

  test('the same receipt gives the same bytes', async () => {
    const [one, other] = [await receiptPdf(receipt, { paper }), await receiptPdf({ ...receipt }, { paper })];
    expect(Buffer.compare(one, other)).toBe(0);
  });

  test('the largest sum and the broadest texts stay within the margins, apart from each other', async () => {
    const bytes = await receiptPdf(broad, { paper, language: 'sw' });
    const file = await readPdf(bytes);
    expect(outside(file)).toEqual([]);
    const pairs = file.texts.flatMap((one, index) =>
      file.texts.slice(index + 1).map((other) => [one, other] as const),
    );
    expect(pairs.filter(([one, other]) => overlap(one, other))).toEqual([]);
    expect(decodeCode(paint(await filledRectangles(bytes)))).toBe(`${broad.verifyUrl}?lang=sw`);
  });

  test('any transaction gives one page, within its margins, with the sum and the hash', async () => {
    await fc.assert(
      fc.asyncProperty(anyFacts, async (facts) => {
        const file = await readPdf(
          await receiptPdf(await signReceipt(keys, facts, { baseUrl: BASE_URL }), { paper }),
        );
        expect([file.pages, outside(file)]).toEqual([1, []]);
        expect(compactText(file)).toContain(facts.verificationHash);
        expect(compactText(file)).toContain(compact(formatAmount('KES', facts.amount)));
      }),
      { numRuns: 40 },
    );
  });
});

test('A4 is A4, and the roll is 80 mm wide and as long as the receipt', async () => {
  const sizes = await Promise.all(
    [receiptPdf(receipt), receiptPdf(receipt, { paper: 'roll' }), receiptPdf(broad, { paper: 'roll' })].map(
      async (file) => readPdf(await file),
    ),
  );
  const [a4, roll, longRoll] = sizes.map(({ width, height }) =>
    [width, height].map((side) => Math.round((side / 72) * 25.4)),
  );
  expect([a4, roll?.[0], longRoll?.[0]]).toEqual([[210, 297], 80, 80]);
  expect(longRoll?.[1]).toBeGreaterThan(roll?.[1] ?? Number.NaN);
});

test('a letter that the standard fonts lack loses its accent or becomes a star', async () => {
  const from = { number: '4412098848', name: 'Ŵanjala Ǹjeri Øyvind محمد', kind: 'CUSTOMER' } as const;
  const signed = await signReceipt(keys, exampleFacts({ from }), { baseUrl: BASE_URL });
  const text = compactText(await readPdf(await receiptPdf(signed)));
  expect(text).toContain(compact('From W***** N**** Ø***** ****, ******8848'));
});

function outside({ texts, width, height }: ReadPdf): unknown[] {
  return texts.filter(
    ({ x, y, ...text }) => x < 10 || y < 10 || x + text.width > width - 10 || y + text.height > height - 10,
  );
}

function boxAround(rectangles: readonly Rectangle[]): Rectangle {
  const x = Math.min(...rectangles.map((one) => one.x));
  const y = Math.min(...rectangles.map((one) => one.y));
  const right = Math.max(...rectangles.map((one) => one.x + one.width));
  const bottom = Math.max(...rectangles.map((one) => one.y + one.height));
  return { x, y, width: right - x, height: bottom - y };
}

function surround({ x, y, width, height }: Rectangle, by: number): Rectangle {
  // A hundredth of a point is less than any printer resolves.
  const rim = by - 0.01;
  return { x: x - rim, y: y - rim, width: width + 2 * rim, height: height + 2 * rim };
}

function overlap(one: Rectangle, other: Rectangle): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  );
}
