import { HttpProblem, httpProblem } from './problem.ts';
import type { ProblemKind } from './problem.ts';

/** What a domain says of one of its codes. */
type ErrorDescription =
  /** The request is understood and cannot be done; the status is 422 when absent. */
  | { readonly kind: 'refused'; readonly status?: number; readonly title: string; readonly advice: string }
  /** `busy`: nothing was recorded. `doubtful`: nobody knows whether it was done. `bug`: nobody's request. */
  | {
      readonly kind: 'busy' | 'doubtful' | 'bug';
      /** There is more work than the process takes at a time. */
      readonly isOverload?: boolean;
      readonly advice: string;
    };

/** An error of a domain. Its message may leave: it says what to do and holds nothing of the data. */
interface DomainError extends Error {
  readonly code: string;
  /** Which field of the request is meant, where there is one. */
  readonly field: string | undefined;
  /** Which of the cases that the code stands for, where there are several. */
  readonly fault?: string;
}

/** The errors of the domain that a service serves, so that no service translates them itself. */
export interface Domain {
  readonly catalogue: Readonly<Record<string, ErrorDescription>>;
  /** Those that the service's description lists and explains. Default: all. */
  readonly listed?: Readonly<Record<string, ErrorDescription>>;
  readonly isError: (error: unknown) => error is DomainError;
}

/** The answer for an error of the domain; null for any other error, and for a bug: that is answered without detail. */
export function problemOfDomain({ catalogue, isError }: Domain, error: unknown): HttpProblem | null {
  if (!isError(error)) return null;
  const description = Object.hasOwn(catalogue, error.code) ? catalogue[error.code] : undefined;
  if (description?.kind === 'refused') return refusalOf(error, kindOf(description));
  if (description?.kind === 'busy') {
    const code = description.isOverload === true ? 'overloaded' : 'unavailable';
    const retryAfter = code === 'overloaded' ? '1' : '5';
    return passing(code, error, { retryAfter, detail: 'Nothing was recorded. Send the request again.' });
  }
  return description?.kind === 'doubtful'
    ? passing('unavailable', error, { retryAfter: '1', detail: DOUBT })
    : null;
}

/** The refusals of the domain that the service lists, for their pages and the list of codes. */
export function problemKindsOf({
  catalogue,
  listed = catalogue,
}: Domain): Readonly<Record<string, ProblemKind>> {
  return Object.fromEntries(
    Object.entries(listed).flatMap(([code, description]) =>
      description.kind === 'refused' ? [[code, kindOf(description)] as const] : [],
    ),
  );
}

const DOUBT =
  'It is not known whether this was done. A request with an `Idempotency-Key` can be sent again with the same `Idempotency-Key`: it is done once. Without one, look first whether it was done.';

function kindOf({
  status = 422,
  title,
  advice,
}: ErrorDescription & { readonly kind: 'refused' }): ProblemKind {
  return { status, title, advice };
}

function refusalOf(error: DomainError, { status, title }: ProblemKind): HttpProblem {
  const { code, field, fault, message } = error;
  const facts = { code, status, title, ...(fault === undefined ? {} : { reason: fault }), cause: error };
  if (field === undefined) return new HttpProblem({ ...facts, detail: message });
  const findings = [{ where: field, what: 'is not as it must be' }];
  return new HttpProblem({ ...facts, detail: 'Correct what `findings` names.', findings });
}

function passing(
  code: 'overloaded' | 'unavailable',
  cause: DomainError,
  { retryAfter, detail }: { readonly retryAfter: string; readonly detail: string },
): HttpProblem {
  return httpProblem(code, { detail, headers: { 'retry-after': retryAfter }, cause });
}
