import { HttpProblem } from '@repo/http';
import type { ProblemKind } from '@repo/http';

/** Why no endpoint can be registered. */
export const WEBHOOK_PROBLEMS = {
  webhooks_not_configured: {
    status: 503,
    title: 'This service sends no webhooks.',
    advice: 'Set WEBHOOK_KEY of the M-PESA service, the same for all its processes, and start it again.',
  },
} as const satisfies Record<string, ProblemKind>;

export function webhooksNotConfigured(): HttpProblem {
  const code = 'webhooks_not_configured';
  const { status, title, advice } = WEBHOOK_PROBLEMS[code];
  return new HttpProblem({ code, status, title, detail: advice });
}
