import { rawBodyOf } from '@repo/http';
import type { RawBody } from '@repo/http';
import type { FastifyRequest } from 'fastify';
import { plainAddress } from './networks.ts';

/** One request of M-PESA's, before anybody has looked into it. */
export interface Callback {
  /** UNKNOWN: it came to an unknown path. */
  readonly kind: 'C2B_CONFIRMATION' | 'C2B_VALIDATION' | 'STK_CALLBACK' | 'STATUS_RESULT' | 'UNKNOWN';
  readonly body: RawBody;
  /** The address it came from; that of the client behind trusted proxies. */
  readonly source: string;
}

/** Reads what the request is about. Its body must have been taken raw. */
export function callbackOf(request: FastifyRequest, kind: Callback['kind']): Callback {
  const body = rawBodyOf(request);
  return { kind, body, source: plainAddress(body.source ?? 'unknown') };
}
