import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { httpProblem } from '../problems/problem.ts';

const PATTERN = /^[\x21-\x7e]{1,255}$/;

/** How a route declares that it needs the header. */
export const idempotencyHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(PATTERN)
    .describe(
      "the caller's own name for this request, such as a UUID; 1 to 255 visible ASCII characters. Repeated with the same request, it gets the same answer and nothing is done twice. All API keys share one set of names, so a number that merely counts up will not do",
    ),
});

/** How a route declares that it takes the header and can do without: then each request stands for itself. */
export const optionalIdempotencyHeaders = z.object({
  'idempotency-key': idempotencyHeaders.shape['idempotency-key'].optional(),
});

/**
 * An `onRequest` hook: throws 400 `idempotency_key_required` unless the header is there and can be used. A request
 * that moves money must be repeatable, for its answer can get lost.
 */
export async function requireIdempotencyKey(request: FastifyRequest, _reply: FastifyReply): Promise<void> {
  const key = request.headers['idempotency-key'];
  if (typeof key === 'string' && PATTERN.test(key)) return;
  throw httpProblem('idempotency_key_required', {
    detail:
      'Send `Idempotency-Key`, once, with 1 to 255 visible ASCII characters: a new one for each new request.',
  });
}
