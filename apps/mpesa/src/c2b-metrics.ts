import type { DepositIntake } from '@repo/db';
import type { Server } from '@repo/http';
import { Counter, Gauge } from 'prom-client';

/** What the service counts. */
export interface C2bMetrics {
  readonly queueDepth: Gauge;
  readonly deposits: Counter<'outcome'>;
  readonly quarantined: Counter<'reason'>;
  readonly validations: Counter<'answer'>;
  readonly unlistedSources: Counter;
}

export function createC2bMetrics(registry: Server['metrics'], intake: DepositIntake): C2bMetrics {
  const registers = [registry];
  return {
    queueDepth: new Gauge({
      name: 'mpesa_intake_queue_depth',
      help: 'Deposits that were received and are not committed yet.',
      registers,
      collect() {
        this.set(intake.depth);
      },
    }),
    deposits: new Counter({
      name: 'mpesa_deposits_total',
      help: 'Confirmations that were understood, by what became of them.',
      labelNames: ['outcome'],
      registers,
    }),
    quarantined: new Counter({
      name: 'mpesa_callbacks_quarantined_total',
      help: 'Callbacks that could not be understood and wait for people, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    validations: new Counter({
      name: 'mpesa_validations_total',
      help: 'Validations by answer: 0 or the code of the refusal.',
      labelNames: ['answer'],
      registers,
    }),
    unlistedSources: new Counter({
      name: 'mpesa_callbacks_unlisted_source_total',
      help: 'Callbacks from addresses that are not in MPESA_SOURCE_ALLOWLIST.',
      registers,
    }),
  };
}
