import { isDaftariError } from '@repo/db';
import { HttpProblem, callerOf, httpProblem } from '@repo/http';
import type { FastifyRequest } from 'fastify';
import { createMissGate } from './miss-gate.ts';
import { createRateLimiter } from './rate-limiter.ts';
import type { RateLimiter } from './rate-limiter.ts';

/**
 * Keeps wallet numbers and references from being found by trying. A look-up answers with somebody's name, so each one
 * counts. Elsewhere only those count that named nothing: who knows the numbers is never held up.
 */
export interface LookupLimits {
  /** Counts a look-up. Throws 429 `rate_limited` when the caller has made too many. */
  countLookup(request: FastifyRequest): void;
  /** Does work that may name a wallet or a transaction that does not exist, and counts it if it does. */
  countMisses<Result>(request: FastifyRequest, work: () => Promise<Result>): Promise<Result>;
}

export interface LookupLimitOptions {
  /** Look-ups of one key in a minute, and as many misses elsewhere. */
  readonly perMinute: number;
  /** Called for each refusal. */
  readonly onLimited: () => void;
  readonly now?: () => number;
}

const MISS_CODES = new Set(['unknown_wallet', 'unknown_transaction', 'unknown_hold']);

/**
 * Own buckets and not a plug-in: what counts is known only after the answer, and a refusal must come before any work,
 * so counting and refusing are two steps. Headers that count down are left out on purpose: they would tell a miss from
 * a hit.
 */
export function createLookupLimits({ perMinute, onLimited, now }: LookupLimitOptions): LookupLimits {
  const clock = now === undefined ? {} : { now };
  const lookups = createRateLimiter({ perMinute, ...clock });
  const misses = createRateLimiter({ perMinute, ...clock });

  function refuse(limiter: RateLimiter, key: string): never {
    const wait = limiter.waitMs(key);
    onLimited();
    throw httpProblem('rate_limited', {
      detail:
        'This API key has asked for too many wallets or transactions. Wait as long as `retry-after` says.',
      headers: { 'retry-after': String(Math.ceil(wait / 1_000)) },
    });
  }

  const gate = createMissGate({ limiter: misses, isMiss, refuse: (key) => refuse(misses, key) });
  return {
    countLookup(request) {
      const key = keyOf(request);
      if (lookups.room(key) < 1) refuse(lookups, key);
      lookups.spend(key);
    },
    countMisses: (request, work) => gate(keyOf(request), work),
  };
}

function keyOf(request: FastifyRequest): string {
  return callerOf(request)?.id ?? 'public';
}

function isMiss(error: unknown): boolean {
  return (isDaftariError(error) || error instanceof HttpProblem) && MISS_CODES.has(error.code);
}
