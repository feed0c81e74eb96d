import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors, isResponseSerializationError } from 'fastify-type-provider-zod';
import { commonHeaders } from '../common-headers.ts';
import { problemOfDomain } from './domain-problems.ts';
import type { Domain } from './domain-problems.ts';
import { HttpProblem, httpProblem, problemBody, problemOfStatus } from './problem.ts';
import type { ProblemFinding } from './problem.ts';

/** Translates an error into its HTTP answer; null leaves it to the shared rules. */
type ErrorMapper = (error: unknown) => HttpProblem | null;

/** What a service says of its errors. */
export interface ErrorRules {
  /** The errors of the domain, which are answered alike in every service. */
  readonly domain?: Domain;
  /** What this service answers in another way; it comes first. */
  readonly mapError?: ErrorMapper;
}

/** Finds the answer for anything that was thrown. What is not known becomes a plain 500: no internals leave. */
export function toProblem(error: unknown, { domain, mapError }: ErrorRules = {}): HttpProblem {
  if (error instanceof HttpProblem) return error;
  const known = mapError?.(error) ?? (domain === undefined ? null : problemOfDomain(domain, error));
  if (known !== null) return known;
  if (isResponseSerializationError(error)) return httpProblem('internal_error', { cause: error });
  const findings = validationFindings(error);
  if (findings !== null) return httpProblem('invalid_request', { findings, cause: error });
  const status = frameworkStatus(error);
  return status === null ? httpProblem('internal_error', { cause: error }) : problemOfStatus(status, error);
}

/** Sends a problem as the answer. */
export function sendProblem(reply: FastifyReply, problem: HttpProblem): FastifyReply {
  return reply
    .code(problem.status)
    .headers({ ...commonHeaders(reply.request.id), ...problem.facts.headers })
    .type('application/problem+json; charset=utf-8')
    .send(JSON.stringify(problemBody(problem, reply.request.id)));
}

/**
 * Builds the error handler of a server: logs once and answers with problem details. A 5xx that was thrown on
 * purpose (not ready, say) is a warning; one that nobody foresaw is an error.
 *
 * @param onProblem hears of each answer that is a problem
 */
export function createErrorHandler(
  rules: ErrorRules = {},
  onProblem: (problem: HttpProblem) => void = () => {},
) {
  return function answerWithProblem(error: unknown, request: FastifyRequest, reply: FastifyReply) {
    const problem = isCutOff(error, request) ? cutOffProblem(error) : toProblem(error, rules);
    const line = { err: error, problem: problem.code };
    onProblem(problem);
    // Refusing must cost little when there is too much to do: it is counted, and has its line as every answer.
    if (problem.status < 500 || problem.code === 'overloaded')
      request.log.debug(line, 'the request was refused');
    else if (problem === error) request.log.warn(line, 'the request could not be served');
    else request.log.error(line, 'the request failed');
    return sendProblem(reply, problem);
  };
}

/**
 * Whether the connection ended before the request's body did. Only the error of the request's own stream counts:
 * a connection of ours that breaks, such as the database's, has the same code and is a failure.
 */
function isCutOff(error: unknown, request: FastifyRequest): boolean {
  return error instanceof Error && error === request.raw.errored;
}

function cutOffProblem(cause: unknown): HttpProblem {
  return httpProblem('malformed_request', { detail: 'The connection ended before the body did.', cause });
}

/**
 * The status of an error that the framework raised about the client's request (`FST_ERR_...`).
 * An error from elsewhere that happens to have a `statusCode` does not choose our answer.
 */
function frameworkStatus(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  const { code, statusCode } = error as Partial<FastifyError>;
  if (typeof code !== 'string' || !code.startsWith('FST_ERR_')) return null;
  return statusCode !== undefined && statusCode >= 400 && statusCode < 500 ? statusCode : null;
}

/**
 * What a request's schema found wrong with it, such as `body/amount`; null when the error is another one.
 * Zod's messages name what was expected, never the value that was sent, so they may leave.
 */
export function validationFindings(error: unknown): ProblemFinding[] | null {
  if (!hasZodFastifySchemaValidationErrors(error)) return null;
  const part = error.validationContext ?? 'request';
  return error.validation.map((entry) => {
    const { instancePath = '', message = 'is not valid' } = entry as {
      instancePath?: string;
      message?: string;
    };
    return { where: `${part}${instancePath}`, what: message };
  });
}
