import type { FastifyRequest } from 'fastify';
import Negotiator from 'negotiator';
import { httpProblem } from '../problems/problem.ts';

/**
 * The representation that the request wants most (RFC 9110, section 12.5.1); the first when it does not care.
 * Throws 406 `not_acceptable` when it wants none of them.
 */
export function negotiate<Type extends string>(request: FastifyRequest, available: readonly Type[]): Type {
  const wanted = new Negotiator(request.raw).mediaType(available);
  const type = available.find((each) => each === wanted);
  if (type === undefined)
    throw httpProblem('not_acceptable', { detail: `There is ${available.join(', ')}.` });
  return type;
}
