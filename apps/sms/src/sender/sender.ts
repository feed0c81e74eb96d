import { claimSms, createSmsSettler, isDaftariError, smsAttemptsOf } from '@repo/db';
import type { ClaimedSms, Db, SmsAttempt, SmsBudget, SmsClaim } from '@repo/db';
import type { FastifyBaseLogger } from 'fastify';
import type { Provider } from '../providers/provider.ts';
import { reasonOf } from '../providers/send-codes.ts';
import { settlementOf } from './attempt.ts';
import type { RetryRules } from './attempt.ts';
import { pauseAfter } from './back-off.ts';
import { createBudgetWatch } from './budget-watch.ts';
import type { CircuitOptions } from './circuit.ts';
import { createDispatch } from './dispatch.ts';
import type { Dispatch } from './dispatch.ts';
import type { SenderMetrics } from './sender-metrics.ts';
import { createSettlements } from './settlements.ts';
import type { Settlements } from './settlements.ts';
import { createSignal } from './signal.ts';

/** How a sender behaves. */
export interface SenderSettings {
  /** Stored with every claim. No other process may have it, now or earlier. */
  readonly name: string;
  /** Requests under way at once, at most. */
  readonly concurrency: number;
  /** How long an attempt may take until others take its outcome for unknown. */
  readonly leaseMs: number;
  /** How long the provider may take for one request; less than the lease. */
  readonly timeoutMs: number;
  readonly maxAgeMs: number;
  /** How often it looks for messages without being woken. */
  readonly pollMs: number;
  readonly retry: RetryRules;
  readonly budget?: SmsBudget;
  readonly circuit?: CircuitOptions;
}

/** What a sender works with. The caller made it and closes it. */
export interface SenderDependencies {
  readonly db: Db;
  readonly provider: Provider;
  readonly metrics: SenderMetrics;
  readonly log: FastifyBaseLogger;
}

export interface Sender {
  /** There may be messages to send. */
  wake(): void;
  /** No more messages are claimed from now on. */
  stop(): void;
  /**
   * Stops, waits for the requests under way, but not longer than given (their outcome is unknown then), and until
   * everything is recorded.
   */
  close(graceMs: number): Promise<void>;
}

/**
 * Sends what is queued, as long as it runs. Each message that is claimed leaves at once: the claim is the record of the
 * attempt, so it claims at most as many messages as it has free slots. Any number of senders may run side by side.
 */
export function startSender(deps: SenderDependencies, settings: SenderSettings): Sender {
  const run = new SenderRun(deps, settings);
  const looping = run.loop();
  return {
    wake: () => run.wake(),
    stop: () => run.stop(),
    async close(graceMs) {
      run.stop();
      await looping;
      await run.finish(graceMs);
    },
  };
}

/** How long claiming pauses when the database fails. */
const DATABASE_BACK_OFF = { firstMs: 200, longestMs: 5_000 };

/** Answers that wait to be recorded, beyond which no more messages are claimed. */
const MAX_UNRECORDED = 2_000;

class SenderRun {
  readonly #deps: SenderDependencies;
  readonly #settings: SenderSettings;
  readonly #dispatch: Dispatch;
  readonly #settlements: Settlements;
  readonly #closeSettler: () => Promise<void>;
  readonly #watchBudget: (claim: SmsClaim) => void;
  /** Set when there may be something to do: messages, a free slot, the end. */
  readonly #news = createSignal();
  /** From the claim until the record of its outcome, by the message's id and the attempt. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** Attempts whose outcome the database refused to record. */
  readonly #unrecordable = new Set<string>();
  #isStopping = false;
  /** Whether messages may have come since the last claim began. */
  #isWoken = true;
  /** When to look again by what the last claim said, and by what was put back since. */
  #dueAt = 0;
  #retryAt = Number.POSITIVE_INFINITY;
  #failures = 0;

  constructor(deps: SenderDependencies, settings: SenderSettings) {
    const { db, provider, log, metrics } = deps;
    const { concurrency, leaseMs, timeoutMs, circuit, budget = null } = settings;
    const settler = createSmsSettler(db);
    this.#deps = deps;
    this.#settings = settings;
    const freshMs = leaseMs - timeoutMs;
    this.#dispatch = createDispatch({ provider, metrics, log, concurrency, freshMs, circuit });
    this.#settlements = createSettlements(settler, log);
    this.#closeSettler = () => settler.close();
    this.#watchBudget = createBudgetWatch({ budget, log, metrics });
    metrics.watch({
      requests: () => this.#dispatch.requests,
      unrecorded: () => this.#settlements.depth,
      circuit: () => this.#dispatch.circuit,
    });
  }

  wake(): void {
    this.#isWoken = true;
    this.#news.set();
  }

  stop(): void {
    this.#isStopping = true;
    this.#news.set();
  }

  /** Claims and sends until it is stopped. */
  async loop(): Promise<void> {
    while (!this.#isStopping) {
      const isFull = this.#settlements.depth >= MAX_UNRECORDED;
      const limit = isFull ? 0 : this.#dispatch.freeSlots;
      const dueMs = this.#dueMs();
      if (limit === 0) await this.#news.wait(isFull ? null : this.#dispatch.waitMs);
      else if (dueMs > 0) await this.#news.wait(dueMs);
      else await this.#claim(limit);
    }
  }

  #dueMs(): number {
    const now = performance.now();
    // A database that fails is not asked more often because there is more to do.
    if (this.#failures > 0) return this.#dueAt - now;
    return this.#isWoken ? 0 : Math.min(this.#dueAt, this.#retryAt) - now;
  }

  /** Waits for the requests under way, gives up on what takes too long, and records everything. */
  async finish(graceMs: number): Promise<void> {
    const timer = setTimeout(() => {
      const { requests } = this.#dispatch;
      this.#deps.log.warn({ requests }, 'requests are given up; their outcome is unknown');
      this.#dispatch.abandon();
    }, graceMs);
    await Promise.all(this.#underWay.values());
    clearTimeout(timer);
    await this.#closeSettler();
  }

  async #claim(limit: number): Promise<void> {
    const { name, leaseMs, maxAgeMs, pollMs, budget } = this.#settings;
    const { db, provider, metrics, log } = this.#deps;
    // Before the claim, so that what comes or becomes due meanwhile is not slept over.
    const begunAt = performance.now();
    this.#isWoken = false;
    if (this.#retryAt <= begunAt) this.#retryAt = Number.POSITIVE_INFINITY;
    try {
      if (this.#failures > 0) await this.#giveBack();
      const request = { sender: name, provider: provider.name, limit, leaseMs, maxAgeMs };
      const claimedAt = performance.now();
      const claim = await claimSms(db, budget === undefined ? request : { ...request, budget });
      if (this.#failures > 0) log.info('messages are claimed again');
      this.#failures = 0;
      metrics.dropped.inc(claim.failed);
      this.#watchBudget(claim);
      for (const message of claim.messages) this.#track(message, this.#deliver(message, claimedAt));
      this.#dueAt = begunAt + Math.min(claim.nextDueMs ?? pollMs, pollMs);
    } catch (error) {
      if (!isDaftariError(error)) throw error;
      this.#failures += 1;
      if (this.#failures === 1) log.error({ err: error }, 'no messages can be claimed; it is tried again');
      this.#dueAt = performance.now() + pauseAfter(this.#failures, DATABASE_BACK_OFF);
    }
  }

  /**
   * A claim whose answer was lost may have been recorded. Nobody else will send those messages and nobody has, so they
   * go back into the queue. No claim is under way here, so what is not known to be under way is one of those.
   */
  async #giveBack(): Promise<void> {
    const recorded = await smsAttemptsOf(this.#deps.db, { sender: this.#settings.name });
    const errorMessage = reasonOf('cancelled');
    const isOurs = (key: string) => this.#underWay.has(key) || this.#unrecordable.has(key);
    for (const { id, attempt } of recorded.filter((each) => !isOurs(keyOf(each)))) {
      const lost = { id, attempt, outcome: 'retry', errorCode: 'cancelled', errorMessage } as const;
      this.#track(
        lost,
        this.#settlements.record(lost).then(() => this.#expect(0)),
      );
    }
  }

  #track(attempt: SmsAttempt, work: Promise<void>): void {
    const key = keyOf(attempt);
    this.#underWay.set(key, work);
    void work.finally(() => this.#underWay.delete(key));
  }

  async #deliver(message: ClaimedSms, claimedAt: number): Promise<void> {
    const attempt = await this.#dispatch.send(message, claimedAt);
    this.#news.set();
    const settlement = settlementOf(message, attempt, this.#settings.retry);
    const settled = await this.#settlements.record(settlement);
    if (settled === null) this.#unrecordable.add(keyOf(message));
    this.#deps.metrics.settlements.inc({ result: settled?.result ?? 'refused' });
    if (settlement.outcome === 'retry') this.#expect(settlement.retryAfterMs ?? 0);
    this.#news.set();
  }

  /** Something becomes due after so many milliseconds. */
  #expect(milliseconds: number): void {
    this.#retryAt = Math.min(this.#retryAt, performance.now() + milliseconds);
    this.#news.set();
  }
}

function keyOf({ id, attempt }: SmsAttempt): string {
  return `${id} ${String(attempt)}`;
}
