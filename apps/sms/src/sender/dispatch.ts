import type { ClaimedSms } from '@repo/db';
import type { FastifyBaseLogger } from 'fastify';
import type { Provider, SendAnswer } from '../providers/provider.ts';
import { reasonOf } from '../providers/send-codes.ts';
import { prepareText } from '../text/prepare-text.ts';
import { attemptSending, verdictOf } from './attempt.ts';
import type { Attempt } from './attempt.ts';
import { createCircuit } from './circuit.ts';
import type { CircuitOptions, CircuitState } from './circuit.ts';
import type { SenderMetrics } from './sender-metrics.ts';

export interface DispatchOptions {
  readonly provider: Provider;
  readonly metrics: Pick<SenderMetrics, 'attempts' | 'circuitOpened'>;
  readonly log: FastifyBaseLogger;
  /** Requests under way at once, at most. */
  readonly concurrency: number;
  /** After so long since its claim a message is not sent any more: its lease could end before the answer is there. */
  readonly freshMs: number;
  readonly circuit?: CircuitOptions | undefined;
}

/** Sends requests: at most as many at once as it may, and none while the provider is down. */
export interface Dispatch {
  /** How many messages can leave now. */
  readonly freeSlots: number;
  /** After how many milliseconds there may be more slots without any answer; null when only an answer can free one. */
  readonly waitMs: number | null;
  readonly requests: number;
  readonly circuit: CircuitState;
  /** Sends a message that was claimed at that time of `performance.now()`. Never rejects. */
  send(message: ClaimedSms, claimedAt: number): Promise<Attempt>;
  /** Gives up on all requests under way. */
  abandon(): void;
}

export function createDispatch(options: DispatchOptions): Dispatch {
  const { provider, metrics, log, concurrency, freshMs } = options;
  const circuit = createCircuit(options.circuit);
  const abort = new AbortController();
  let requests = 0;

  /** Reports an answer to the circuit, and a change of the circuit to people. */
  function learn(ticket: number, answer: SendAnswer): void {
    const before = circuit.state;
    circuit.report(ticket, verdictOf(answer), answer.kind === 'retry' ? answer.retryAfterMs : undefined);
    const { state, waitMs } = circuit;
    if (state === before) return;
    if (state === 'closed') log.info({ provider: provider.name }, 'the provider works again');
    if (state !== 'open' || answer.kind === 'accepted') return;
    metrics.circuitOpened.inc();
    const facts = { provider: provider.name, code: answer.code, pauseMs: Math.round(waitMs ?? 0) };
    log.warn(facts, `nothing is sent for now: ${answer.reason}`);
  }

  async function attempt(message: ClaimedSms): Promise<Attempt> {
    const ticket = circuit.begin();
    const attempted = await attemptSending(provider, message, abort.signal);
    learn(ticket, attempted.answer);
    return attempted;
  }

  return {
    get freeSlots() {
      return Math.max(0, Math.min(concurrency - requests, circuit.allowance));
    },
    get waitMs() {
      return requests < concurrency ? circuit.waitMs : null;
    },
    get requests() {
      return requests;
    },
    get circuit() {
      return circuit.state;
    },
    async send(message, claimedAt) {
      requests += 1;
      try {
        // A process that was held up may find its lease over and a person's decision made; and the provider may have
        // gone down while the claim was under way. Nothing has left yet, so nothing is lost by waiting.
        const isFresh = performance.now() - claimedAt <= freshMs && circuit.allowance > 0;
        const attempted = isFresh ? await attempt(message) : notSent(message);
        const { answer } = attempted;
        metrics.attempts.inc({
          outcome: answer.kind,
          code: answer.kind === 'accepted' ? 'none' : answer.code,
        });
        return attempted;
      } finally {
        requests -= 1;
      }
    },
    abandon() {
      abort.abort();
    },
  };
}

function notSent(message: ClaimedSms): Attempt {
  const answer = {
    kind: 'retry',
    scope: 'message',
    code: 'cancelled',
    reason: reasonOf('cancelled'),
    facts: null,
  } as const;
  return { prepared: prepareText(message.message), answer };
}
