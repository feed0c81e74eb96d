import type { Server } from '@repo/http';
import { Counter, Gauge } from 'prom-client';

/** What the service counts besides its sender. */
export interface SmsMetrics {
  readonly reports: Counter<'outcome'>;
  readonly quarantined: Counter<'reason'>;
  readonly optOuts: Counter<'result'>;
  readonly queue: Gauge<'phase'>;
  readonly oldestDue: Gauge<'priority'>;
  readonly spentToday: Gauge<'currency'>;
  readonly balance: Gauge<'currency'>;
}

export function createSmsMetrics(registry: Server['metrics']): SmsMetrics {
  const registers = [registry];
  const gauge = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Gauge({ name, help, labelNames, registers });
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers });
  return {
    reports: counter('sms_delivery_reports_total', 'Delivery reports by what became of them.', ['outcome']),
    quarantined: counter(
      'sms_callbacks_quarantined_total',
      'Callbacks that could not be understood and wait for people, by reason.',
      ['reason'],
    ),
    optOuts: counter('sms_opt_outs_total', 'Customers who want no more messages: new or known.', ['result']),
    queue: gauge(
      'sms_queue_messages',
      'Messages that are not done, by phase, counted up to 100,000; unknown ones wait for people.',
      ['phase'],
    ),
    oldestDue: gauge(
      'sms_oldest_due_seconds',
      'For how long the message that has waited longest could have been sent; 0 when none waits.',
      ['priority'],
    ),
    spentToday: gauge('sms_spent_today', 'What was charged today (East Africa Time).', ['currency']),
    balance: gauge('sms_provider_balance', 'What is left on the account at the provider.', ['currency']),
  };
}
