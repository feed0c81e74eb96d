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

const problemSchema = z.object({
  type: z.string(),
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

/** The problems that every service shares; a service adds its own by throwing `new HttpProblem(...)`. */
const catalogue = {
  malformed_request: { status: 400, title: 'The request cannot be read.' },
  repeated_member: { status: 400, title: 'The JSON body says something twice.' },
  unauthorized: { status: 401, title: 'A valid API key is required.' },
  forbidden: { status: 403, title: 'This caller may not do that.' },
  not_found: { status: 404, title: 'There is nothing here.' },
  method_not_allowed: { status: 405, title: 'This path has no such method.' },
  not_acceptable: { status: 406, title: 'There is no representation of this that the request accepts.' },
  request_timeout: { status: 408, title: 'The request did not arrive in time.' },
  body_too_large: { status: 413, title: 'The request body is too large.' },
  unsupported_media_type: { status: 415, title: 'The content type is not supported.' },
  expectation_failed: { status: 417, title: 'The expectation cannot be met.' },
  invalid_request: { status: 422, title: 'The request does not have the required form.' },
  rate_limited: { status: 429, title: 'There were too many requests.' },
  headers_too_large: { status: 431, title: 'The request headers are too large.' },
  internal_error: { status: 500, title: 'The service failed to handle the request.' },
  unavailable: { status: 503, title: 'The service cannot do this at the moment.' },
  not_ready: { status: 503, title: 'The service is not ready.' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof catalogue;

/** Builds a problem of the shared catalogue. */
export function httpProblem(
  code: ProblemCode,
  more: Pick<ProblemFacts, 'reason' | 'detail' | 'findings' | 'headers' | 'cause'> = {},
): HttpProblem {
  return new HttpProblem({ code, ...catalogue[code], ...more });
}

/** The shared problem that a bare HTTP status stands for, for errors raised by the framework. */
export function problemOfStatus(status: number, cause: unknown): HttpProblem {
  const codes = Object.keys(catalogue) as ProblemCode[];
  const exact = codes.find((code) => catalogue[code].status === status);
  if (exact !== undefined) return httpProblem(exact, { cause });
  return httpProblem(status >= 400 && status < 500 ? 'malformed_request' : 'internal_error', { cause });
}

/** The JSON body for a problem. */
export function problemBody(problem: HttpProblem, requestId: string): ProblemBody {
  const { code, reason, status, title, detail, findings } = problem.facts;
  return {
    type: `urn:daftari:problem:${code}`,
    title,
    status,
    ...(detail === undefined ? {} : { detail }),
    code,
    ...(reason === undefined ? {} : { reason }),
    requestId,
    ...(findings === undefined ? {} : { findings: [...findings] }),
  };
}
