import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import { z } from 'zod';
import { ReceiptError } from './errors.ts';

/** The one signature algorithm of receipts (RFC 8037): what a key or a header says cannot choose another. */
export const ALGORITHM = 'EdDSA';

export interface PublicJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly kid: string;
  readonly alg: 'EdDSA';
  readonly use: 'sig';
}

/** A JSON Web Key Set (RFC 7517) as published at `/.well-known/jwks.json`. */
export interface PublicJwks {
  readonly keys: readonly PublicJwk[];
}

export interface SigningKeys {
  /** The key that signs, and its id. */
  readonly signer: { readonly kid: string; readonly key: KeyObject };
  /** Every key that still verifies, the signer's first. */
  readonly published: PublicJwks;
}

const ed25519Jwk = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.base64url().length(43),
  d: z.base64url().length(43).optional(),
  kid: z.string().min(1).max(200).optional(),
  alg: z.enum(['EdDSA', 'Ed25519']).optional(),
  use: z.literal('sig').optional(),
});
const keySet = z.object({ keys: z.array(ed25519Jwk).min(1).max(100) });

type Ed25519Jwk = z.infer<typeof ed25519Jwk>;

/**
 * Reads a key set with private keys. The first key signs; the others are former ones, with or without their private
 * part, whose receipts stay genuine. To rotate, put a new key in front; to revoke a key, take it out.
 *
 * @param jwks the text of a JSON Web Key Set; each key Ed25519, the first with its private part `d`.
 * @throws ReceiptError `KEYS_INVALID`; its message and cause hold nothing of the text.
 */
export async function createSigningKeys(jwks: string): Promise<SigningKeys> {
  const keys = parseKeySet(jwks);
  const [first] = keys;
  if (first?.d === undefined) throw keysInvalid('the first key must have its private part "d", as it signs');
  const published = await publish(keys);
  for (const key of keys) assertOnePair(key);
  const [{ kid } = { kid: '' }] = published.keys;
  return { signer: { kid, key: privateKeyOf(first) }, published };
}

/** What may be published: no private part ever is. */
export function publicJwks(keys: SigningKeys): PublicJwks {
  return keys.published;
}

/**
 * Reads a key set for verification. A private part that was left in is ignored.
 *
 * @throws ReceiptError `KEYS_INVALID`
 */
export async function readPublicJwks(jwks: string): Promise<PublicJwks> {
  return publish(parseKeySet(jwks));
}

/** A fresh private key, named by its thumbprint (RFC 7638). Keep it secret; put it first in the key set. */
export async function newSigningKey(): Promise<PublicJwk & { readonly d: string }> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { crv: 'Ed25519', extractable: true });
  const { x, d } = await exportJWK(privateKey);
  if (x === undefined || d === undefined) throw keysInvalid('the key that was made cannot be exported');
  const kid = await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x });
  return { kty: 'OKP', crv: 'Ed25519', x, d, kid, alg: ALGORITHM, use: 'sig' };
}

function parseKeySet(text: string): Ed25519Jwk[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The cause is not kept: a parser's message quotes the text, and the text holds a private key.
    throw keysInvalid('the text is not JSON; it must be {"keys": [...]}');
  }
  const parsed = keySet.safeParse(json);
  if (parsed.success) return parsed.data.keys;
  const [issue] = parsed.error.issues;
  throw keysInvalid(
    `"${issue?.path.join('.') ?? ''}" is not as it must be; each key must be a JWK of Ed25519`,
  );
}

async function publish(keys: readonly Ed25519Jwk[]): Promise<PublicJwks> {
  const published = await Promise.all(
    keys.map(async ({ x, kid }): Promise<PublicJwk> => {
      const name = kid ?? (await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x }));
      return { kty: 'OKP', crv: 'Ed25519', x, kid: name, alg: ALGORITHM, use: 'sig' };
    }),
  );
  if (new Set(published.map((key) => key.kid)).size < keys.length) {
    throw keysInvalid('two keys have the same "kid"; give each its own');
  }
  return { keys: published };
}

/** A private part beside another key's public part would sign receipts that nobody can verify. */
function assertOnePair(key: Ed25519Jwk): void {
  if (key.d === undefined) return;
  const { x } = createPublicKey(privateKeyOf(key)).export({ format: 'jwk' });
  if (x !== key.x) throw keysInvalid('a private part "d" does not belong to the "x" beside it');
}

function privateKeyOf({ kty, crv, x, d = '' }: Ed25519Jwk): KeyObject {
  try {
    return createPrivateKey({ key: { kty, crv, x, d }, format: 'jwk' });
  } catch (cause) {
    // Newer versions of Node compare the two parts themselves.
    throw keysInvalid('a private part "d" is no Ed25519 key, or does not belong to the "x" beside it', {
      cause,
    });
  }
}

function keysInvalid(advice: string, options?: ErrorOptions): ReceiptError {
  return new ReceiptError('KEYS_INVALID', advice, options);
}
