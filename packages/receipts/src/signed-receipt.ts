import { CompactSign, compactVerify, decodeProtectedHeader, errors, importJWK } from 'jose';
import { z } from 'zod';
import { maskFacts } from './masking.ts';
import type { MaskedFacts } from './masking.ts';
import {
  AMOUNT,
  LONGEST_NARRATIVE,
  LONGEST_REFERENCE,
  checkFacts,
  expectedHash,
  shownType,
  TRANSACTION_TYPES,
} from './receipt-facts.ts';
import type { Issuer, ReceiptFacts } from './receipt-facts.ts';
import { ALGORITHM } from './signing-keys.ts';
import type { PublicJwks, SigningKeys } from './signing-keys.ts';
import { verifyUrl } from './verify-url.ts';

/** Tells a receipt from whatever else a key may sign one day (RFC 8725, section 3.11). */
const TYPE = 'daftari-receipt+jws';
const VERSION = 2;

/** Longer than any receipt: what is longer is not decoded at all. */
const LONGEST_JWS = 16_384;

/** A receipt as it is shown: all that any page, file or code on it says is covered by the signature. */
export interface Receipt {
  readonly facts: MaskedFacts;
  /** The public page that checks it; also what its QR code says. */
  readonly verifyUrl: string;
  /** Compact JWS (RFC 7515), signed with Ed25519, over the facts and the address. */
  readonly jws: string;
}

/** Why a text is no genuine receipt. The code is for programs, the words for people. */
export const FORGERY_REASONS = {
  not_signed: 'it holds no signed receipt',
  wrong_algorithm: 'it is not signed the way receipts are signed',
  wrong_type: 'what is signed is not a receipt',
  unknown_key: 'it is signed with a key that is not among the given ones',
  bad_signature: 'it was changed after it was signed, or signed by somebody else',
  wrong_content: 'what is signed is not a receipt of a version known here',
  hash_mismatch: 'its verification hash does not belong to its reference, amount and time',
  altered_copy: 'what it shows is not what is signed in it',
} as const;

export type ForgeryReason = keyof typeof FORGERY_REASONS;

export type Verification =
  | { readonly genuine: true; readonly receipt: Receipt }
  | { readonly genuine: false; readonly reason: ForgeryReason };

/** Words of a closed list, in capitals as the first receipts had them, or small. */
function word<const Words extends readonly string[]>(words: Words) {
  return z.string().toLowerCase().pipe(z.enum(words));
}

const maskedParty = z.strictObject({
  kind: word(['customer', 'system']),
  number: z.string().max(100).nullable(),
  name: z.string().max(100).nullable(),
});

const firstContent = z.strictObject({
  version: z.literal(1),
  reference: z.string().min(1).max(LONGEST_REFERENCE),
  type: word(TRANSACTION_TYPES.map(shownType)),
  amount: z.string().regex(AMOUNT),
  currency: z.literal('KES'),
  createdAt: z.iso.datetime({ precision: 3 }),
  verificationHash: z.string().regex(/^[0-9a-f]{64}$/),
  from: maskedParty,
  to: maskedParty,
  verifyUrl: z.url({ protocol: /^https?$/ }).max(2_000),
});

const signedContent = z.discriminatedUnion('version', [
  firstContent,
  firstContent.extend({
    version: z.literal(VERSION),
    paidAt: z.iso.datetime({ precision: 3 }).nullable(),
    fee: z.strictObject({ amount: z.string().regex(AMOUNT), paidBy: z.enum(['from', 'to']) }).nullable(),
    narrative: z.string().max(LONGEST_NARRATIVE).nullable(),
    issuer: z
      .strictObject({ name: z.string().min(1).max(100), contact: z.string().min(1).max(200).nullable() })
      .nullable(),
  }),
]);

/**
 * Makes the receipt of a transaction: masks its parties and signs the result. The same keys and facts give the same
 * bytes, as Ed25519 has no randomness in it.
 *
 * @param options.baseUrl the public address of the wallet service, for the QR code.
 * @param options.issuer whose receipts they are.
 * @throws ReceiptError `FACTS_INVALID`, `AMOUNT_INVALID`, `FACTS_CONTRADICT_HASH`, `BASE_URL_INVALID`
 */
export async function signReceipt(
  keys: SigningKeys,
  facts: ReceiptFacts,
  options: { readonly baseUrl: string; readonly issuer?: Issuer | null },
): Promise<Receipt> {
  checkFacts(facts);
  const masked = maskFacts(facts, options.issuer ?? null);
  const url = verifyUrl(options.baseUrl, facts);
  const content = { version: VERSION, ...masked, verifyUrl: url };
  const jws = await new CompactSign(new TextEncoder().encode(JSON.stringify(content)))
    .setProtectedHeader({ alg: ALGORITHM, kid: keys.signer.kid, typ: TYPE })
    .sign(keys.signer.key);
  return { facts: masked, verifyUrl: url, jws };
}

/**
 * Checks a signed receipt with published keys alone: no database, no network. Whatever the text is, the answer is a
 * verdict, never an error.
 */
export async function verifySignedReceipt(jwks: PublicJwks, jws: string): Promise<Verification> {
  const header = headerOf(jws);
  if (header === null) return forged('not_signed');
  if (header.alg !== ALGORITHM) return forged('wrong_algorithm');
  if (header.typ !== TYPE) return forged('wrong_type');
  const jwk = jwks.keys.find((key) => key.kid === header.kid);
  if (jwk === undefined) return forged('unknown_key');
  const content = await signedBytes(jws, jwk);
  return content === null ? forged('bad_signature') : readContent(content, jws);
}

function headerOf(jws: string): ReturnType<typeof decodeProtectedHeader> | null {
  const parts = jws.split('.');
  if (jws.length > LONGEST_JWS || parts.length !== 3 || !parts.every(isBase64Url)) return null;
  try {
    return decodeProtectedHeader(jws);
  } catch (error) {
    if (error instanceof TypeError) return null; // how jose says that the header is no JSON object
    throw error;
  }
}

/** Decoders forgive what encodes to the same bytes in another way; a receipt has one form only. */
function isBase64Url(text: string): boolean {
  return Buffer.from(text, 'base64url').toString('base64url') === text;
}

async function signedBytes(jws: string, jwk: PublicJwks['keys'][number]): Promise<Uint8Array | null> {
  const key = await importJWK({ ...jwk }, ALGORITHM);
  try {
    return (await compactVerify(jws, key, { algorithms: [ALGORITHM] })).payload;
  } catch (error) {
    if (error instanceof errors.JOSEError) return null;
    throw error;
  }
}

function readContent(bytes: Uint8Array, jws: string): Verification {
  const parsed = signedContent.safeParse(parseJson(new TextDecoder().decode(bytes)));
  if (!parsed.success) return forged('wrong_content');
  const { version: _, verifyUrl: url, ...facts } = parsed.data;
  if (expectedHash(facts) !== facts.verificationHash) return forged('hash_mismatch');
  return { genuine: true, receipt: { facts, verifyUrl: url, jws } };
}

/** Undefined when the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function forged(reason: ForgeryReason): Verification {
  return { genuine: false, reason };
}
