import rateLimit from '@fastify/rate-limit';
import { httpProblem } from '@repo/http';
import type { HttpServer } from '@repo/http';

export interface PublicLimitOptions {
  /** Requests of one address in a minute to each route that is limited. */
  readonly perMinute: number;
  /** Called for each refusal. */
  readonly onLimited: () => void;
}

const NEVER = { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false };

/** The `config` of a public route, so that its requests are limited by the client's address. */
export const LIMITED_BY_ADDRESS = { rateLimit: {} };

/**
 * Limits open routes by address, or by network of /64 for IPv6; behind proxies of `TRUST_PROXY` by that of the client.
 * Beyond the limit they answer 429 `rate_limited`, until a minute after the first request that was counted. Each
 * process counts for itself, the last 5,000 addresses.
 */
export async function addPublicLimit(
  app: HttpServer,
  { perMinute, onLimited }: PublicLimitOptions,
): Promise<void> {
  await app.register(rateLimit, {
    global: false,
    max: perMinute,
    timeWindow: 60_000,
    addHeaders: NEVER,
    addHeadersOnExceeding: NEVER,
    onExceeded: onLimited,
    errorResponseBuilder: (_request, { ttl }) =>
      httpProblem('rate_limited', {
        detail: 'There were too many requests from this address. Wait as long as `retry-after` says.',
        headers: { 'retry-after': String(Math.ceil(ttl / 1_000)) },
      }),
  });
}
