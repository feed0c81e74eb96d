import { hash, timingSafeEqual } from 'node:crypto';

/** SHA-256 of a secret, as kept in memory or in configuration instead of the secret. */
export function secretDigest(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

/**
 * Compares a candidate with one secret in a time that tells nothing about the secret:
 * digests have one length, whatever the secret's length.
 */
export function createSecretCheck(secret: string): (candidate: string) => boolean {
  const digest = secretDigest(secret);
  return (candidate) => timingSafeEqual(secretDigest(candidate), digest);
}
