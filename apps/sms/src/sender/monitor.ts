import { smsOutbox, smsSpend } from '@repo/db';
import type { Db } from '@repo/db';
import { startRepeating } from '@repo/http';
import type { Repeating } from '@repo/http';
import type { FastifyBaseLogger } from 'fastify';
import type { Provider } from '../providers/provider.ts';
import type { SmsMetrics } from '../sms-metrics.ts';

export interface MonitorDependencies {
  readonly db: Db;
  /** Whose balance is looked at; null for nobody's. */
  readonly provider: Provider | null;
  readonly metrics: SmsMetrics;
  readonly log: FastifyBaseLogger;
}

export interface MonitorPauses {
  /** Between two looks at the queue and the day's spending. Default: 15,000. */
  readonly queueMs?: number;
  /** Between two looks at the balance, which is a request to the provider. Default: 300,000. */
  readonly balanceMs?: number;
}

/**
 * Reads the queue, the day's spending and the provider's balance at intervals, so that the metrics wait for neither the
 * database nor the provider. A value that cannot be read stays as it was.
 */
export function startMonitor(deps: MonitorDependencies, pauses: MonitorPauses = {}): Repeating {
  const { queueMs = 15_000, balanceMs = 300_000 } = pauses;
  const { provider } = deps;
  const tasks = [startRepeating(() => lookAtQueue(deps), { pauseMs: queueMs, startsNow: true })];
  if (provider !== null) {
    const balance = () => lookAtBalance(deps, provider);
    tasks.push(startRepeating(balance, { pauseMs: balanceMs, startsNow: true }));
  }
  return {
    async stop() {
      await Promise.all(tasks.map((task) => task.stop()));
    },
  };
}

async function lookAtQueue({ db, metrics, log }: MonitorDependencies): Promise<void> {
  try {
    const outbox = await smsOutbox(db);
    metrics.queue.set({ phase: 'queued' }, outbox.queued);
    metrics.queue.set({ phase: 'sending' }, outbox.sending);
    metrics.queue.set({ phase: 'unknown' }, outbox.unknown);
    metrics.oldestDue.set({ priority: 'important' }, (outbox.oldestDueMs ?? 0) / 1_000);
    metrics.oldestDue.set({ priority: 'unimportant' }, (outbox.oldestUnimportantDueMs ?? 0) / 1_000);
    const spend = await smsSpend(db);
    // Yesterday's sums are gone from here when the day changes.
    metrics.spentToday.reset();
    // A number for a chart; the exact one is in GET /reports/cost.
    for (const { currency, cost } of spend) metrics.spentToday.set({ currency }, Number(cost));
  } catch (error) {
    log.warn({ err: error }, 'the queue could not be looked at; the metrics show what it was');
  }
}

async function lookAtBalance({ metrics, log }: MonitorDependencies, provider: Provider): Promise<void> {
  const balance = await provider.balance();
  if (balance === null) log.debug({ provider: provider.name }, 'the balance at the provider is not known');
  else metrics.balance.set({ currency: balance.currency }, Number(balance.amount));
}
