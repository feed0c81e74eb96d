import { timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { httpProblem } from '../problems/problem.ts';
import { secretDigest } from './secrets.ts';

/** A key that may call the service. The key itself is not kept. */
export interface ApiKey {
  /** SHA-256 of the key, 32 bytes. */
  readonly hash: Uint8Array;
  /** What the key may do; `*` is everything. */
  readonly scopes: readonly string[];
}

/** Who calls: the key that a request came with, without the key. */
export interface Caller {
  /** Names the key for as long as it exists; it is no secret. */
  readonly id: string;
  /** Whose key it is, for people; where it has no name its id says as much. */
  readonly name?: string;
  /** What the key may do; `*` is everything. */
  readonly scopes: readonly string[];
}

/** Finds the caller that a key belongs to, or null. Called with whatever a stranger sent. */
export type FindKey = (key: string) => Promise<Caller | null>;

/** A hook that lets a request pass only with a key that has the scope. */
export type KeyGuard = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

const callers = new WeakMap<FastifyRequest, Caller>();

/** The key as it is given in the environment: one key that may do everything. */
export function fullAccessKey(key: string): ApiKey {
  return { hash: secretDigest(key), scopes: ['*'] };
}

/**
 * Builds `requireKey(scope)`, an `onRequest` hook. It throws 401 `unauthorized` without a known key in
 * `Authorization: Bearer <key>` (RFC 6750) and 403 `forbidden` when the key lacks the scope. Keys that are not
 * among `keys` are asked of `findKey`, where there is one; what it throws becomes the answer.
 */
export function createKeyGuard(keys: readonly ApiKey[], findKey?: FindKey): (scope: string) => KeyGuard {
  return (scope) => async (request) => {
    const key = keyOf(request.headers.authorization);
    const caller = key === null ? null : (findConfigured(keys, key) ?? (await findKey?.(key)) ?? null);
    if (caller === null) {
      throw httpProblem('unauthorized', {
        detail: 'Send the API key as `Authorization: Bearer <key>`.',
        headers: { 'www-authenticate': 'Bearer' },
      });
    }
    callers.set(request, caller);
    if (!caller.scopes.includes('*') && !caller.scopes.includes(scope)) {
      throw httpProblem('forbidden', { detail: `This API key lacks the scope \`${scope}\`.` });
    }
  };
}

/** Who sent a request whose key was recognised; null on open routes. */
export function callerOf(request: FastifyRequest): Caller | null {
  return callers.get(request) ?? null;
}

/** The name under which a change is written down: whose key it is, or its id where it has no name. */
export function actorOf(request: FastifyRequest): string {
  const caller = callerOf(request);
  return caller?.name ?? caller?.id ?? 'unknown';
}

function keyOf(authorization: string | undefined): string | null {
  return /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? null;
}

/** Compares with every key, also after a match, so that the time does not tell which one matched. */
function findConfigured(keys: readonly ApiKey[], key: string): Caller | null {
  const digest = secretDigest(key);
  let found: Caller | null = null;
  keys.forEach(({ hash, scopes }, index) => {
    if (timingSafeEqual(digest, hash)) found = { id: `configured-${String(index + 1)}`, scopes };
  });
  return found;
}
