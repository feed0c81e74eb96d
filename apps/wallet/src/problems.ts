import { DaftariError, ERROR_CATALOGUE } from '@repo/db';
import type { AmountFault } from '@repo/db';
import { HttpProblem, validationFindings } from '@repo/http';
import type { ProblemKind } from '@repo/http';

/** Why a transaction has no receipt. */
export const RECEIPT_PROBLEMS = {
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

/** What an amount is that is not even a string. */
const NO_STRING: AmountFault = 'malformed';

/** Gives a wrong amount in a body one code, whether its type is wrong or its value; null for any other error. */
export function mapAmount(error: unknown): HttpProblem | null {
  const findings = validationFindings(error) ?? [];
  if (findings.length === 0 || findings.some(({ where }) => where !== 'body/amount')) return null;
  const { title } = ERROR_CATALOGUE.invalid_amount;
  return new HttpProblem({
    code: 'invalid_amount',
    status: 422,
    title,
    reason: NO_STRING,
    findings,
    cause: error,
  });
}

/**
 * The one answer for a wallet in the path that the caller gets nothing of: whether its number was never given out, is
 * mistyped or belongs to a system wallet. Nobody can tell from it which.
 */
export function unknownWallet(): HttpProblem {
  const detail = 'No wallet with this number can be looked up. Check its digits.';
  const { title } = ERROR_CATALOGUE.unknown_wallet;
  return new HttpProblem({ code: 'unknown_wallet', status: 404, title, detail });
}

/** The transaction in the path is there, and has no receipt. */
export function receiptProblem(code: keyof typeof RECEIPT_PROBLEMS): HttpProblem {
  const { status, title, advice } = RECEIPT_PROBLEMS[code];
  return new HttpProblem({ code, status, title, detail: advice });
}

/** The transaction in the path does not exist. */
export function unknownTransaction(): DaftariError {
  const advice = 'No transaction has this reference. Check its letters and digits.';
  return new DaftariError('unknown_transaction', { advice });
}
