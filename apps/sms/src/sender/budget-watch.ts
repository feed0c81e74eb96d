import type { SmsBudget, SmsClaim } from '@repo/db';
import type { FastifyBaseLogger } from 'fastify';
import type { SenderMetrics } from './sender-metrics.ts';

export interface BudgetWatchOptions {
  readonly budget: SmsBudget | null;
  readonly log: FastifyBaseLogger;
  readonly metrics: Pick<SenderMetrics, 'budget' | 'budgetSpent' | 'budgetPaused'>;
}

type Level = 'within' | 'near' | 'spent';

/**
 * Looks at what each claim says of the day's budget, shows it, and warns when four fifths of it are spent and when all
 * of it is: once each, until the next day sets it back.
 */
export function createBudgetWatch(options: BudgetWatchOptions): (claim: SmsClaim) => void {
  const { budget, log, metrics } = options;
  if (budget === null) return () => undefined;
  let logged: Level = 'within';
  // Numbers for a chart; what is decided by them is decided in the database, exactly.
  metrics.budget.set({ currency: budget.currency }, Number(budget.amount));

  return ({ spent, isPaused, isNearBudget }) => {
    metrics.budgetSpent.set({ currency: budget.currency }, Number(spent ?? 0));
    metrics.budgetPaused.set(isPaused ? 1 : 0);
    const level: Level = isPaused ? 'spent' : isNearBudget ? 'near' : 'within';
    if (level === logged) return;
    logged = level;
    const facts = { spent, budget: budget.amount, currency: budget.currency };
    if (level === 'near') log.warn(facts, "four fifths of the day's budget for SMS are spent");
    if (level === 'spent') {
      log.warn(facts, "the day's budget for SMS is spent: unimportant messages wait for tomorrow");
    }
  };
}
