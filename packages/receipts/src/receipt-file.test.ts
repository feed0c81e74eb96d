import { readFile } from 'node:fs/promises';
import { PDFDocument, StandardFonts } from '@pdfme/pdf-lib';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { verifyReceiptFile } from './receipt-file.ts';
import { receiptHtml } from './receipt-html.ts';
import { receiptJson } from './receipt-json.ts';
import { receiptPdf } from './receipt-pdf.ts';
import { signReceipt } from './signed-receipt.ts';
import type { Receipt } from './signed-receipt.ts';
import { publicJwks, readPublicJwks } from './signing-keys.ts';
import type { PublicJwks } from './signing-keys.ts';
import { anyFacts, BASE_URL, freshKeys, fullFacts, ISSUER } from './testing/examples.ts';
import type { SigningKeys } from './signing-keys.ts';

let keys: SigningKeys;
let jwks: PublicJwks;
let receipt: Receipt;

beforeAll(async () => {
  keys = await freshKeys();
  jwks = publicJwks(keys);
  receipt = await signReceipt(keys, fullFacts, { baseUrl: BASE_URL, issuer: ISSUER });
});

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function verdictOn(file: Uint8Array | string): Promise<string> {
  const verification = await verifyReceiptFile(jwks, typeof file === 'string' ? bytes(file) : file);
  return verification.genuine ? 'genuine' : verification.reason;
}

const variants = (['a4', 'roll'] as const).flatMap((paper) =>
  (['en', 'sw'] as const).map((language) => ({ paper, language })),
);

test.each(variants)('PDF and HTML for $paper in $language are genuine', async (variant) => {
  expect(await verdictOn(await receiptPdf(receipt, variant))).toBe('genuine');
  expect(await verdictOn(receiptHtml(receipt, variant))).toBe('genuine');
});

test('whatever the transaction holds, its files are genuine', async () => {
  await fc.assert(
    fc.asyncProperty(anyFacts, async (facts) => {
      const signed = await signReceipt(keys, facts, { baseUrl: BASE_URL });
      const files = [
        await receiptPdf(signed),
        receiptHtml(signed),
        JSON.stringify(receiptJson(signed)),
        signed.jws,
      ];
      expect(await Promise.all(files.map(verdictOn))).toEqual(files.map(() => 'genuine'));
    }),
    { numRuns: 20 },
  );
});

test.each(['receipt.jws', 'receipt.html', 'receipt.pdf'])(
  '%s, saved when receipts said less, is still genuine',
  async (name) => {
    const saved = (file: string) => readFile(new URL(`testing/first-version/${file}`, import.meta.url));
    const old = await readPublicJwks(await saved('jwks.json').then(String));
    const verification = await verifyReceiptFile(old, await saved(name));
    expect(verification).toMatchObject({
      genuine: true,
      receipt: { facts: { reference: 'DF-01JD8Y2Q4V7M', type: 'transfer', amount: '1500.00' } },
    });
  },
);

test('JSON is genuine however it is laid out', async () => {
  const { jws, ...rest } = receiptJson(receipt);
  expect(await verdictOn(` ${JSON.stringify({ jws, ...rest }, null, 4)}\n`)).toBe('genuine');
});

describe('the signature of a genuine receipt', () => {
  test('in JSON with any other fact is a forgery', async () => {
    for (const field of Object.keys(receiptJson(receipt)).filter((name) => name !== 'jws')) {
      const forged = JSON.stringify({ ...receiptJson(receipt), [field]: 'other' });
      expect([field, await verdictOn(forged)]).toEqual([field, 'altered_copy']);
    }
    expect(await verdictOn(JSON.stringify({ ...receiptJson(receipt), note: 'paid twice' }))).toBe(
      'altered_copy',
    );
  });

  test.each([
    ['another value first', (json: string) => json.replace('{', '{"amount":"9999999.00",')],
    ['another value first, and space', (json: string) => json.replace('{', '{ "amount"\n:\t"9999999.00" ,')],
    ['its own value', (json: string) => json.replace('{', '{"currency":"KES",')],
    ['its name in escapes', (json: string) => json.replace('{', '{"\\u0061mount":"9999999.00",')],
    ['many values first', (json: string) => json.replace('{', '{"from":{"kind":"system","name":[{}]},')],
    ['another value in a party', (json: string) => json.replace('"to":{', '"to":{"name":"O***",')],
    ['a value that ends in a backslash', (json: string) => json.replace('{', '{"type":"\\"\\\\",')],
  ])('in JSON where a name stands twice, with %s, is a forgery', async (_what, forge) => {
    const genuine = JSON.stringify(receiptJson(receipt));
    const forged = forge(genuine);
    expect(JSON.parse(forged)).toEqual(JSON.parse(genuine));
    expect(await verdictOn(forged)).toBe('altered_copy');
  });

  test('in JSON with any name and value put in front is a forgery', async () => {
    const genuine = JSON.stringify(receiptJson(receipt));
    const names = fc.oneof(fc.constantFrom(...Object.keys(receiptJson(receipt))), fc.string());
    await fc.assert(
      fc.asyncProperty(names, fc.jsonValue(), async (name, value) => {
        const forged = genuine.replace('{', () => `{${JSON.stringify(name)}:${JSON.stringify(value)},`);
        expect(await verdictOn(forged)).toBe('altered_copy');
      }),
    );
  });

  test.each([
    ['another sum', (page: string) => page.replaceAll('500.00', '900.00')],
    ['a sentence more', (page: string) => page.replace('</main>', '<p>Paid in full</p></main>')],
    [
      'a style that hides something',
      (page: string) => page.replace('</style>', 'dl { display: none }</style>'),
    ],
    ['another address', (page: string) => page.replaceAll(BASE_URL, 'https://wallet.example.com')],
  ])('in a page with %s is a forgery, and the signed facts are reported', async (_what, forge) => {
    const verification = await verifyReceiptFile(jwks, bytes(forge(receiptHtml(receipt))));
    expect(verification).toEqual({ genuine: false, reason: 'altered_copy', signed: receipt });
  });

  test('in a PDF on which something was written is a forgery', async () => {
    const document = await PDFDocument.load(await receiptPdf(receipt), { updateMetadata: false });
    const font = await document.embedFont(StandardFonts.Helvetica);
    document.getPage(0).drawText('KES 9,500.00', { x: 60, y: 300, font });
    expect(await verdictOn(await document.save())).toBe('altered_copy');
  });
});

test.each([
  ['an empty file', ''],
  ['a text', 'KES 1,500.00 paid'],
  ['a page without a signature', '<!doctype html><h1>Genuine receipt</h1>'],
  ['JSON without a signature', '{"genuine": true}'],
  ['JSON that is cut off', '{"jws": "'],
  ['a PDF that is cut off', '%PDF-1.7\n'],
])('%s holds no signed receipt', async (_what, file) => {
  expect(await verdictOn(file)).toBe('not_signed');
});

test('a foreign PDF holds no signed receipt', async () => {
  const document = await PDFDocument.create();
  document.addPage();
  expect(await verdictOn(await document.save())).toBe('not_signed');
});

test('a PDF with any byte changed gets a verdict, and not the good one', async () => {
  const file = await receiptPdf(receipt);
  await fc.assert(
    fc.asyncProperty(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const forged = Uint8Array.from(file);
      forged[at] = (forged[at] ?? 0) ^ change;
      expect(await verdictOn(forged)).not.toBe('genuine');
    }),
    { numRuns: 60 },
  );
});
