import { z } from 'zod';

/** One thing that is wrong with a request: where (a JSON pointer or a parameter's name) and what. */
export interface ProblemFinding {
  readonly where: string;
  readonly what: string;
}

/** What a problem is, before it is told to a client. */
export interface ProblemFacts {
  /** Stable name for programs: lower case with underscores. */
  readonly code: string;
  /** Which of the cases that the code stands for, where there are several; a stable name too. */
  readonly reason?: string;
  /** HTTP status, 400 to 599. */
  readonly status: number;
  /** The same sentence for every occurrence of this code. */
  readonly title: string;
  /** What happened this time and what to do. Never personal data, never internals. */
  readonly detail?: string;
  readonly findings?: readonly ProblemFinding[];
  /** Extra answer headers, such as `retry-after`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

const problemSchema = z
  .object({
    type: z.string().describe('where this kind of problem is explained, relative to the service'),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    code: z.string().describe('stable name for programs'),
    reason: z
      .string()
      .optional()
      .describe('which of the cases that the code stands for, where there are several'),
    requestId: z.string().describe('quote it when asking for help'),
    findings: z.array(z.object({ where: z.string(), what: z.string() })).optional(),
  })
  .meta({
    id: 'Problem',
    description: 'Why a request was refused (RFC 9457).',
    examples: [
      {
        type: '/problems/invalid_request',
        title: 'The request does not have the required form.',
        status: 422,
        code: 'invalid_request',
        requestId: '2ca94f5e-7b5e-4d2c-9f0a-3d6f7f1f7c55',
        findings: [{ where: 'body/narrative', what: 'Too big: expected string to have <=255 characters' }],
      },
    ],
  });

/** The body of an error answer: RFC 9457 problem details with the members `code`, `reason`, `requestId` and `findings`. */
export type ProblemBody = z.output<typeof problemSchema>;

/** How a route declares that it may answer with a problem: `response: { 404: problemResponse('...') }`. */
export function problemResponse(description: string) {
  return { description, content: { 'application/problem+json': { schema: problemSchema } } };
}

/** An error that knows its HTTP answer. Throw it from a handler or a hook. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly code: string;
  readonly status: number;
  readonly facts: ProblemFacts;

  constructor(facts: ProblemFacts) {
    super(facts.detail ?? facts.title, facts.cause === undefined ? {} : { cause: facts.cause });
    this.code = facts.code;
    this.status = facts.status;
    this.facts = facts;
  }
}

/** A kind of problem, as its page `/problems/<code>` explains it. */
export interface ProblemKind {
  readonly status: number;
  /** The same sentence for every occurrence. */
  readonly title: string;
  /** What it means and what to do. */
  readonly advice: string;
}

/** The problems that every service shares; a service adds its own by throwing `new HttpProblem(...)`. */
const CATALOGUE = {
  malformed_request: {
    status: 400,
    title: 'The request cannot be read.',
    advice:
      'Send a complete HTTP/1.1 request with one `Host` header, a valid path and, where there is a body, valid JSON in UTF-8. `detail` says what was wrong.',
  },
  repeated_member: {
    status: 400,
    title: 'The JSON body says something twice.',
    advice:
      'An object of the JSON body has the same member twice, and there is no telling which was meant. Send it once.',
  },
  idempotency_key_required: {
    status: 400,
    title: 'An idempotency key is required.',
    advice:
      'Send `Idempotency-Key`, once, with 1 to 255 visible ASCII characters: a new one for each new request, and the same one to repeat a request.',
  },
  unauthorized: {
    status: 401,
    title: 'A valid API key is required.',
    advice: 'Send a valid API key as `Authorization: Bearer <key>`. A revoked key works no more.',
  },
  forbidden: {
    status: 403,
    title: 'This caller may not do that.',
    advice: 'The API key lacks the scope that `detail` names. Use a key that has it, or have one made.',
  },
  not_found: {
    status: 404,
    title: 'There is nothing here.',
    advice: 'Check the path against the description of the API at `/docs`.',
  },
  method_not_allowed: {
    status: 405,
    title: 'This path has no such method.',
    advice: 'The header `Allow` lists the methods that this path has.',
  },
  not_acceptable: {
    status: 406,
    title: 'There is no representation of this that the request accepts.',
    advice: '`detail` lists what there is. Send one of these in `Accept`, or no `Accept` at all.',
  },
  request_timeout: {
    status: 408,
    title: 'The request did not arrive in time.',
    advice: 'Send the whole request without a pause; it has 30 seconds to arrive.',
  },
  body_too_large: {
    status: 413,
    title: 'The request body is too large.',
    advice: 'Send a smaller body.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The content type is not supported.',
    advice: 'Send JSON, with `Content-Type: application/json` and without a content encoding.',
  },
  expectation_failed: {
    status: 417,
    title: 'The expectation cannot be met.',
    advice: 'Send no `Expect` header, or `Expect: 100-continue`.',
  },
  invalid_request: {
    status: 422,
    title: 'The request does not have the required form.',
    advice: 'Correct what `findings` names and send the request again.',
  },
  rate_limited: {
    status: 429,
    title: 'There were too many requests.',
    advice: 'Wait as many seconds as `Retry-After` says, then go on more slowly.',
  },
  headers_too_large: {
    status: 431,
    title: 'The request headers are too large.',
    advice: 'Send fewer or shorter headers: 16 KiB is the most.',
  },
  internal_error: {
    status: 500,
    title: 'The service failed to handle the request.',
    advice:
      'Send it again later, with the same `Idempotency-Key` where there is one. If it stays so, report the `requestId`.',
  },
  unavailable: {
    status: 503,
    title: 'The service cannot do this at the moment.',
    advice:
      'Wait as many seconds as `Retry-After` says and send it again, with the same `Idempotency-Key` where there is one.',
  },
  overloaded: {
    status: 503,
    title: 'The service has as much work as it takes at a time.',
    advice:
      'Nothing was recorded. Wait as many seconds as `Retry-After` says, longer each time, and send it again, with the same `Idempotency-Key` where there is one.',
  },
  not_ready: {
    status: 503,
    title: 'The service is not ready.',
    advice:
      'Wait until `/health/ready` answers 200. `reason` says what is wrong with the schema of the database, if that is it.',
  },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof CATALOGUE;

/** The kinds of problems that every service shares, by code. */
export const sharedProblems: Readonly<Record<string, ProblemKind>> = CATALOGUE;

/** Builds a problem of the shared catalogue. */
export function httpProblem(
  code: ProblemCode,
  more: Pick<ProblemFacts, 'reason' | 'detail' | 'findings' | 'headers' | 'cause'> = {},
): HttpProblem {
  const { status, title } = CATALOGUE[code];
  return new HttpProblem({ code, status, title, ...more });
}

/** The shared problem that a bare HTTP status stands for, for errors raised by the framework. */
export function problemOfStatus(status: number, cause: unknown): HttpProblem {
  const codes = Object.keys(CATALOGUE) as ProblemCode[];
  const exact = codes.find((code) => CATALOGUE[code].status === status);
  if (exact !== undefined) return httpProblem(exact, { cause });
  return httpProblem(status >= 400 && status < 500 ? 'malformed_request' : 'internal_error', { cause });
}

/** The JSON body for a problem. */
export function problemBody(problem: HttpProblem, requestId: string): ProblemBody {
  const { code, reason, status, title, detail, findings } = problem.facts;
  return {
    type: `/problems/${code}`,
    title,
    status,
    ...(detail === undefined ? {} : { detail }),
    code,
    ...(reason === undefined ? {} : { reason }),
    requestId,
    ...(findings === undefined ? {} : { findings: [...findings] }),
  };
}
