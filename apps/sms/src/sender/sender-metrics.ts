import type { Server } from '@repo/http';
import { Counter, Gauge } from 'prom-client';
import type { CircuitState } from './circuit.ts';

/** What a sender counts. */
export interface SenderMetrics {
  readonly attempts: Counter<'outcome' | 'code'>;
  readonly settlements: Counter<'result'>;
  readonly dropped: Counter;
  readonly leasesExpired: Counter;
  readonly circuitOpened: Counter;
  readonly budget: Gauge<'currency'>;
  readonly budgetSpent: Gauge<'currency'>;
  readonly budgetPaused: Gauge;
  /** Shows what a sender is doing at the moment the metrics are read. */
  watch(sender: SenderView): void;
}

interface SenderView {
  readonly requests: () => number;
  readonly unrecorded: () => number;
  readonly circuit: () => CircuitState;
}

const CIRCUIT_STATES: readonly CircuitState[] = ['closed', 'open', 'half_open'];

export function createSenderMetrics(registry: Server['metrics']): SenderMetrics {
  const registers = [registry];
  return {
    ...createCounters(registers),
    budget: new Gauge({
      name: 'sms_budget',
      help: "The day's budget.",
      labelNames: ['currency'],
      registers,
    }),
    budgetSpent: new Gauge({
      name: 'sms_budget_spent',
      help: 'What is spent of it, by the last claim.',
      labelNames: ['currency'],
      registers,
    }),
    budgetPaused: new Gauge({
      name: 'sms_budget_paused',
      help: "1 while unimportant messages wait because the day's budget is spent.",
      registers,
    }),
    watch: (sender) => {
      watchSender(sender, registers);
    },
  };
}

function createCounters(registers: Server['metrics'][]) {
  return {
    attempts: new Counter({
      name: 'sms_attempts_total',
      help: 'Requests to the provider by what came of them, with the code of the failure.',
      labelNames: ['outcome', 'code'],
      registers,
    }),
    settlements: new Counter({
      name: 'sms_settlements_total',
      help: 'Outcomes that were recorded: settled, late, ignored, or refused by the database.',
      labelNames: ['result'],
      registers,
    }),
    dropped: new Counter({
      name: 'sms_dropped_total',
      help: 'Messages that failed when their turn came: too old, opted out of, or without a number.',
      registers,
    }),
    leasesExpired: new Counter({
      name: 'sms_leases_expired_total',
      help: 'Attempts whose outcome this process has declared unknown because nobody recorded it in time.',
      registers,
    }),
    circuitOpened: new Counter({
      name: 'sms_circuit_opened_total',
      help: 'How often sending was paused because the provider failed or asked for it.',
      registers,
    }),
  };
}

function watchSender(sender: SenderView, registers: Server['metrics'][]): void {
  gaugeOf('sms_requests_under_way', 'Requests to the provider without an answer yet.', sender.requests);
  gaugeOf('sms_unrecorded_answers', 'Answers of the provider that are not recorded yet.', sender.unrecorded);
  const circuit = new Gauge({
    name: 'sms_circuit_state',
    help: '1 for the state of the circuit: closed (it sends), open (it pauses), half_open (it tries one).',
    labelNames: ['state'],
    registers,
    collect() {
      const current = sender.circuit();
      for (const state of CIRCUIT_STATES) this.set({ state }, state === current ? 1 : 0);
    },
  });
  circuit.reset();

  function gaugeOf(name: string, help: string, read: () => number): Gauge {
    return new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  }
}
