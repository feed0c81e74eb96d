import type { Server } from '@repo/http';
import { Counter, Gauge } from 'prom-client';

/** What is counted about events on their way to apps. */
export interface WebhookMetrics {
  readonly attempts: Counter<'outcome'>;
  readonly waiting: Gauge;
  readonly oldest: Gauge;
}

export function createWebhookMetrics(registry: Server['metrics']): WebhookMetrics {
  const registers = [registry];
  return {
    attempts: new Counter({
      name: 'mpesa_webhook_attempts_total',
      help: 'Attempts to deliver an event, by outcome: delivered, retry or failed (the last one).',
      labelNames: ['outcome'],
      registers,
    }),
    waiting: new Gauge({
      name: 'mpesa_webhooks_waiting',
      help: 'Deliveries that are not made yet, of all processes.',
      registers,
    }),
    oldest: new Gauge({
      name: 'mpesa_webhooks_oldest_seconds',
      help: 'Age of the event that waits longest; 0 when none does.',
      registers,
    }),
  };
}
