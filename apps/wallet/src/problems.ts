import { AmountError, DaftariError, isDaftariError } from '@repo/db';
import type { AmountFault, ErrorCode } from '@repo/db';
import { HttpProblem, httpProblem, validationFindings } from '@repo/http';
import type { ProblemFinding, ProblemKind } from '@repo/http';

/** Why a transaction has no receipt. */
export const receiptProblems = {
  receipt_not_ready: {
    status: 409,
    title: 'This transaction has no receipt yet.',
    advice: 'It is older than the verification hashes. Ask for the back-fill to be run.',
  },
  transaction_altered: {
    status: 500,
    title: 'The transaction does not agree with its verification hash.',
    advice: 'No receipt is issued for it. Have the ledger audited.',
  },
} as const satisfies Record<string, ProblemKind>;

interface Refusal {
  readonly status: 404 | 409 | 422;
  readonly title: string;
}

/**
 * What each error of the ledger is to a caller, all of them, so that a new one is decided on before it compiles.
 *
 * A refusal of 422: the request is understood and cannot be done. 409: it is at odds with what was done before, under
 * its key or to the very thing in the path. 404: what the path names does not exist.
 * `passing`: the service's own trouble, nothing was done, and it passes. `doubtful`: the same, but it may be done.
 * `unforeseen`: no request leads there as long as nothing is wrong with the service.
 */
const answers: Readonly<Record<ErrorCode, Refusal | 'passing' | 'doubtful' | 'unforeseen'>> = {
  invalid_amount: { status: 422, title: 'The amount is not a sum of money that can be moved.' },
  invalid_wallet: { status: 422, title: 'The wallet cannot be opened or changed as it is described.' },
  invalid_request: { status: 422, title: 'The request does not have the required form.' },
  insufficient_funds: { status: 422, title: 'There is not enough money available.' },
  wallet_frozen: { status: 422, title: 'A wallet is frozen.' },
  wallet_closed: { status: 422, title: 'A wallet is closed.' },
  unknown_wallet: { status: 422, title: 'There is no such wallet.' },
  same_wallet: { status: 422, title: 'Both sides are the same wallet.' },
  currency_mismatch: { status: 422, title: 'The currencies differ.' },
  floor_too_high: { status: 422, title: 'The floor is above what is available.' },
  expiry_passed: { status: 422, title: 'The hold would end before it begins.' },
  exceeds_hold: { status: 422, title: 'That is more than is held.' },
  not_divisible: { status: 422, title: 'An assignment goes back whole or not at all.' },
  exceeds_remaining: { status: 422, title: 'That is more than is left to send back.' },
  funds_spent: { status: 422, title: 'The money has been spent.' },
  not_reversible: { status: 422, title: 'This cannot be reversed.' },
  not_in_suspense: { status: 422, title: 'This payment is not in suspense.' },
  key_reused: { status: 409, title: 'The idempotency key was used for another request.' },
  already_reversed: { status: 409, title: 'This has been sent back already.' },
  already_assigned: { status: 409, title: 'This payment has been assigned to a wallet.' },
  hold_closed: { status: 409, title: 'The hold is no longer active.' },
  wallet_not_empty: { status: 409, title: 'The wallet is not empty.' },
  wallet_exists: { status: 409, title: 'There is a wallet with this number already.' },
  unknown_transaction: { status: 404, title: 'There is no such transaction.' },
  unknown_fee_rule: { status: 404, title: 'There is no such fee rule.' },
  time_passed: { status: 422, title: 'A fee rule begins and ends now or later.' },
  fee_rule_planned: { status: 409, title: 'Another fee rule begins while this one would hold.' },
  fee_rule_ended: { status: 409, title: 'The fee rule ends before that.' },
  unknown_hold: { status: 404, title: 'There is no such hold.' },
  queue_full: 'passing',
  intake_closed: 'passing',
  database_unavailable: 'passing',
  pool_exhausted: 'passing',
  database_busy: 'passing',
  schema_outdated: 'passing',
  schema_newer: 'passing',
  client_outdated: 'unforeseen',
  transaction_timeout: 'passing',
  outcome_unknown: 'doubtful',
  transaction_lost: 'unforeseen',
  append_only: 'unforeseen',
  around_the_door: 'unforeseen',
  deposit_failed: 'unforeseen',
  request_failed: 'unforeseen',
  invalid_deposit: 'unforeseen',
  invalid_hash_input: 'unforeseen',
  unknown_sms: 'unforeseen',
  nothing_to_decide: 'unforeseen',
  unknown_template: 'unforeseen',
  invalid_template: 'unforeseen',
  already_posted: 'unforeseen',
  already_resolved: 'unforeseen',
  not_correctable: 'unforeseen',
  nothing_to_resolve: 'unforeseen',
  unknown_callback: 'unforeseen',
  pooler_cannot_listen: 'unforeseen',
  database_error: 'unforeseen',
};

/** The kinds of refusals of this service, as their pages explain them. */
export function walletProblems(): Record<string, ProblemKind> {
  const refusals = Object.entries(answers).flatMap(([code, answer]) =>
    typeof answer === 'string'
      ? []
      : [[code, { ...answer, advice: new DaftariError(code as ErrorCode).message }] as const],
  );
  return { ...Object.fromEntries(refusals), ...receiptProblems };
}

/** Translates errors of the domain into answers. */
export function mapError(error: unknown): HttpProblem | null {
  if (isDaftariError(error)) return problemOf(error);
  const findings = validationFindings(error);
  if (findings === null) return null;
  // A wrong amount has one code, whether its type is wrong or its value.
  const isOnlyAmount = findings.length > 0 && findings.every(({ where }) => where === 'body/amount');
  return isOnlyAmount ? refuse('invalid_amount', { reason: NO_STRING, findings, cause: error }) : null;
}

/** What an amount is that is not even a string. */
const NO_STRING: AmountFault = 'malformed';

/** A refusal that the service itself comes to, with the words of the catalogue. */
function refuse(
  code: ErrorCode,
  facts: {
    readonly reason?: string;
    readonly detail?: string;
    readonly findings?: readonly ProblemFinding[];
    readonly cause?: unknown;
  },
): HttpProblem {
  const refusal = answers[code];
  if (typeof refusal === 'string') throw new RangeError(`${code} is no refusal`);
  return new HttpProblem({ code, ...refusal, ...facts });
}

/**
 * The one answer for a wallet in the path that the caller gets nothing of: whether its number was never given out, is
 * mistyped or belongs to a system wallet. Nobody can tell from it which.
 */
export function unknownWallet(): HttpProblem {
  const detail = 'No wallet with this number can be looked up. Check its digits.';
  return new HttpProblem({ code: 'unknown_wallet', status: 404, title: 'There is no such wallet.', detail });
}

/** The transaction in the path is there, and has no receipt. */
export function receiptProblem(code: keyof typeof receiptProblems): HttpProblem {
  const { status, title, advice } = receiptProblems[code];
  return new HttpProblem({ code, status, title, detail: advice });
}

/** The transaction in the path does not exist. */
export function unknownTransaction(): HttpProblem {
  return refuse('unknown_transaction', {
    detail: 'No transaction has this reference. Check its letters and digits.',
  });
}

function problemOf(error: DaftariError): HttpProblem | null {
  const answer = answers[error.code];
  if (answer === 'unforeseen') return null;
  if (answer === 'doubtful') {
    const detail =
      'It is not known whether this was done. Where a key is required, send it again with the same `Idempotency-Key`: it is done once. Elsewhere look first whether it was done.';
    return httpProblem('unavailable', { detail, headers: { 'retry-after': '1' }, cause: error });
  }
  if (answer === 'passing') {
    const detail = 'Nothing was done. Send the request again.';
    return httpProblem('unavailable', { detail, headers: { 'retry-after': '5' }, cause: error });
  }
  if (error instanceof AmountError) {
    return refuse(error.code, { reason: error.fault, detail: error.message, cause: error });
  }
  if (error.field === undefined) return refuse(error.code, { detail: error.message, cause: error });
  const findings = [{ where: error.field, what: 'is not as it must be' }];
  return refuse(error.code, { detail: 'Correct what `findings` names.', findings, cause: error });
}
