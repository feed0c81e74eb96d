import { timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { httpProblem } from './problem.ts';
import { secretDigest } from './secrets.ts';

/** A key that may call the service. The key itself is not kept. */
export interface ApiKey {
  /** SHA-256 of the key, 32 bytes. */
  readonly hash: Uint8Array;
  /** What the key may do; `*` is everything. */
  readonly scopes: readonly string[];
}

/** A hook that lets a request pass only with a key that has the scope. */
export type KeyGuard = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** The key as it is given in the environment: one key that may do everything. */
export function fullAccessKey(key: string): ApiKey {
  return { hash: secretDigest(key), scopes: ['*'] };
}

/**
 * Builds `requireKey(scope)`, an `onRequest` hook. It throws 401 `unauthorized` without a known key in
 * `Authorization: Bearer <key>` (RFC 6750) and 403 `forbidden` when the key lacks the scope.
 */
export function createKeyGuard(keys: readonly ApiKey[]): (scope: string) => KeyGuard {
  return (scope) => async (request) => {
    const key = findKey(keys, request.headers.authorization);
    if (key === null) {
      throw httpProblem('unauthorized', {
        detail: 'Send the API key as `Authorization: Bearer <key>`.',
        headers: { 'www-authenticate': 'Bearer' },
      });
    }
    if (!key.scopes.includes('*') && !key.scopes.includes(scope)) {
      throw httpProblem('forbidden', { detail: `This API key lacks the scope \`${scope}\`.` });
    }
  };
}

/** Compares with every key, also after a match, so that the time does not tell which one matched. */
function findKey(keys: readonly ApiKey[], authorization: string | undefined): ApiKey | null {
  const sent = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  if (sent === undefined) return null;
  const digest = secretDigest(sent);
  let found: ApiKey | null = null;
  for (const key of keys) {
    if (timingSafeEqual(digest, key.hash)) found = key;
  }
  return found;
}
