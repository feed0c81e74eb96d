import { HttpProblem } from '@repo/http';
import type { ProblemKind } from '@repo/http';

/** Why no phone can be asked for a payment. */
export const PAYMENT_PROBLEMS = {
  payments_not_configured: {
    status: 503,
    title: 'This service cannot ask phones for payments.',
    advice:
      'Set DARAJA_CONSUMER_KEY, DARAJA_CONSUMER_SECRET, DARAJA_SHORT_CODE and DARAJA_PASSKEY of the M-PESA service, and start it again.',
  },
} as const satisfies Record<string, ProblemKind>;

export function notConfigured(): HttpProblem {
  const code = 'payments_not_configured';
  const { status, title, advice } = PAYMENT_PROBLEMS[code];
  return new HttpProblem({ code, status, title, detail: `${advice} Nothing was asked for.` });
}
