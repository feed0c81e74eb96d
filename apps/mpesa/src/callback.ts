import { isIP } from 'node:net';
import type { RawBody } from '@repo/http';
import type { FastifyRequest } from 'fastify';
import { plainAddress } from './networks.ts';

/** One request of M-PESA's, before anybody has looked into it. */
export interface Callback {
  readonly kind: 'C2B_CONFIRMATION' | 'C2B_VALIDATION';
  readonly body: RawBody;
  /** The address it came from; that of the client behind trusted proxies. */
  readonly source: string;
}

/** Reads what the request is about. Its body must have been taken raw. */
export function callbackOf(request: FastifyRequest, kind: Callback['kind']): Callback {
  return { kind, body: request.body as RawBody, source: sourceOf(request) };
}

/** A trusted proxy may pass on a header that holds no address; then the proxy's own is the best that is known. */
function sourceOf(request: FastifyRequest): string {
  const address = isIP(request.ip) === 0 ? (request.raw.socket.remoteAddress ?? 'unknown') : request.ip;
  return plainAddress(address);
}
