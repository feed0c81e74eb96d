import { PDFDocument } from '@pdfme/pdf-lib';
import type { Language } from './language.ts';
import { JWS_META, receiptHtml } from './receipt-html.ts';
import { receiptJson } from './receipt-json.ts';
import { receiptPdf } from './receipt-pdf.ts';
import type { Paper } from './receipt-styles.ts';
import { parseJson, verifySignedReceipt } from './signed-receipt.ts';
import type { Receipt, Verification } from './signed-receipt.ts';
import type { PublicJwks } from './signing-keys.ts';

const PAPERS: readonly Paper[] = ['a4', 'roll'];
const LANGUAGES: readonly Language[] = ['en', 'sw'];
const variants = PAPERS.flatMap((paper) => LANGUAGES.map((language) => ({ paper, language })));

/** A signed receipt that was found in a file, and whether the rest of the file is what belongs to it. */
interface Found {
  readonly jws: string;
  readonly showsOnly: (receipt: Receipt) => Promise<boolean>;
}

/** `signed` is set when the signature is genuine but the file shows something else: it holds what was really signed. */
export type FileVerification = Verification & { readonly signed?: Receipt };

/**
 * Checks a receipt file offline: PDF, HTML, JSON or the bare JWS, told apart by their content. A forger can leave
 * the signature of a genuine receipt in a file and change what people read beside it, so a file is genuine only if it
 * is, byte by byte, what is made of the signed facts. A JSON file may be laid out in any way.
 */
export async function verifyReceiptFile(jwks: PublicJwks, file: Uint8Array): Promise<FileVerification> {
  const found = await findSigned(file);
  if (found === null) return { genuine: false, reason: 'not_signed' };
  const verification = await verifySignedReceipt(jwks, found.jws);
  if (!verification.genuine || (await found.showsOnly(verification.receipt))) return verification;
  return { genuine: false, reason: 'altered_copy', signed: verification.receipt };
}

async function findSigned(file: Uint8Array): Promise<Found | null> {
  const text = new TextDecoder().decode(file);
  if (text.startsWith('%PDF-')) return findInPdf(file);
  const start = text.trimStart().slice(0, 1);
  if (start === '<') return findInHtml(text);
  if (start === '{') return findInJson(text);
  const jws = text.trim();
  return jws === '' ? null : { jws, showsOnly: async () => true };
}

async function findInPdf(file: Uint8Array): Promise<Found | null> {
  const jws = await keywordsOf(file);
  if (jws === null) return null;
  const drawn = (receipt: Receipt) => variants.map((variant) => receiptPdf(receipt, variant));
  return {
    jws,
    showsOnly: async (receipt) => (await Promise.all(drawn(receipt))).some((copy) => areEqual(copy, file)),
  };
}

async function keywordsOf(file: Uint8Array): Promise<string | null> {
  try {
    const document = await PDFDocument.load(file, { updateMetadata: false, throwOnInvalidObject: true });
    return document.getKeywords() ?? null;
  } catch (error) {
    // A damaged file is no receipt. The parser throws plain errors of many kinds for it, and nothing else can fail here.
    if (error instanceof Error) return null;
    throw error;
  }
}

function findInHtml(text: string): Found | null {
  const [, jws] = new RegExp(`<meta name="${JWS_META}" content="([^"]+)"`).exec(text) ?? [];
  if (jws === undefined) return null;
  return {
    jws,
    showsOnly: async (receipt) => variants.some((variant) => receiptHtml(receipt, variant) === text),
  };
}

function findInJson(text: string): Found | null {
  const json = parseJson(text);
  if (typeof json !== 'object' || json === null || !('jws' in json) || typeof json.jws !== 'string')
    return null;
  return {
    jws: json.jws,
    showsOnly: async (receipt) =>
      canonical(json) === canonical(receiptJson(receipt)) && !hasRepeatedName(text, json),
  };
}

/** Parsers take the last of two values of one name, and people read the first: such a text shows two things. */
function hasRepeatedName(text: string, json: object): boolean {
  return countNames(text) !== countNames(JSON.stringify(json));
}

/** How many names stand in a JSON text, nested ones too: as many as there are colons outside its strings. */
function countNames(text: string): number {
  // Only strings hold backslashes. Without what is escaped, every quote that is left begins or ends one.
  const parts = text.replaceAll(/\\./g, '').split('"');
  const outside = parts.filter((_part, index) => index % 2 === 0).join('');
  return outside.split(':').length - 1;
}

/** JSON with sorted names, so that the order in which they stand does not count. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );
}

function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
