import type { GapKind } from '@repo/db';
import type { Server } from '@repo/http';
import { Counter, Gauge } from 'prom-client';

/** What is counted about payments that M-PESA never reported. */
export interface GapMetrics {
  readonly gaps: Gauge<'kind'>;
  readonly pulled: Counter<'outcome'>;
  readonly failures: Counter;
}

export const GAP_KINDS = ['balance_jump', 'silence', 'missed_callback'] as const satisfies readonly GapKind[];

export function createGapMetrics(registry: Server['metrics']): GapMetrics {
  const registers = [registry];
  return {
    gaps: new Gauge({
      name: 'mpesa_gaps',
      help: 'Gaps of the last 24 hours, as of the last look: balance_jump, silence or missed_callback.',
      labelNames: ['kind'],
      registers,
    }),
    pulled: new Counter({
      name: 'mpesa_pulled_payments_total',
      help: 'Payments that were missed and pulled, by what became of them.',
      labelNames: ['outcome'],
      registers,
    }),
    failures: new Counter({
      name: 'mpesa_pull_failures_total',
      help: 'Times that payments could not be pulled.',
      registers,
    }),
  };
}
