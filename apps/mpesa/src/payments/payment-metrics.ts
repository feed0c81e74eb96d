import type { Server } from '@repo/http';
import { Counter } from 'prom-client';

/** What is counted about requests to phones. */
export interface PaymentMetrics {
  readonly requests: Counter<'answer'>;
  readonly queries: Counter<'verdict'>;
}

export function createPaymentMetrics(registry: Server['metrics']): PaymentMetrics {
  const registers = [registry];
  return {
    requests: new Counter({
      name: 'mpesa_payment_requests_total',
      help: 'Requests to phones, by what M-PESA answered: accepted, refused, retry or lost.',
      labelNames: ['answer'],
      registers,
    }),
    queries: new Counter({
      name: 'mpesa_payment_queries_total',
      help: 'Questions what became of a request, by verdict: failed, confirmed or open.',
      labelNames: ['verdict'],
      registers,
    }),
  };
}
