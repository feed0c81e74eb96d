import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isDaftariError } from '../errors.ts';
import { expireSmsLeases } from './claims.ts';
import { settleSms } from './settlements.ts';
import type { SmsOutcome } from './settlements.ts';
import { decideSms } from './unknown.ts';
import type { SmsDecision } from './unknown.ts';
import { SmsModel } from '../testing/sms/model.ts';
import type { ModelAnswer } from '../testing/sms/model.ts';
import { claim, drain, endLeases, newMessageId, queueOne, report } from '../testing/sms/messages.ts';
import { useTestDb, valueOf } from '../testing/database/test-db.ts';

const database = useTestDb();
const { sql } = database;

const RANKS = { unknown: 0, accepted: 10, absent: 40, rejected: 60, failed: 61, delivered: 100 } as const;

const step = fc.oneof(
  fc.record({ kind: fc.constant('queue' as const), priority: fc.constantFrom<(0 | 1)[]>(0, 1) }),
  fc.record({ kind: fc.constant('claim' as const), limit: fc.integer({ min: 1, max: 3 }) }),
  fc.record({
    kind: fc.constant('settle' as const),
    which: fc.nat(),
    outcome: fc.constantFrom<SmsOutcome[]>('accepted', 'accepted', 'refused', 'retry', 'unknown'),
    cost: fc.nat(99_999),
    hasId: fc.boolean(),
    isRepeated: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('expire' as const), which: fc.nat() }),
  fc.record({
    kind: fc.constant('report' as const),
    which: fc.nat(),
    state: fc.constantFrom(...(Object.keys(RANKS) as (keyof typeof RANKS)[])),
  }),
  fc.record({
    kind: fc.constant('decide' as const),
    which: fc.nat(),
    decision: fc.constantFrom<SmsDecision[]>('sent', 'send_again', 'send_again', 'failed'),
  }),
);

type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

/** An attempt that has begun, with the id that the provider gives it. */
interface Attempt {
  readonly id: string;
  readonly attempt: number;
  readonly messageId: string;
}

class Run {
  readonly model = new SmsModel();
  readonly #attempts: Attempt[] = [];

  async take(next: Step): Promise<void> {
    if (next.kind === 'queue') return this.#queue(next.priority);
    if (next.kind === 'claim') return this.#claim(next.limit);
    const attempt = this.#attempts[next.which % Math.max(this.#attempts.length, 1)];
    if (attempt === undefined) return;
    if (next.kind === 'settle') await this.#settle(attempt, next);
    if (next.kind === 'expire') await this.#expire(attempt);
    if (next.kind === 'report') await this.#report(attempt, next.state);
    if (next.kind === 'decide') await this.#decide(attempt, next.decision);
  }

  async #queue(priority: 0 | 1): Promise<void> {
    this.model.queue(await queueOne(database.db, { priority }), priority);
  }

  async #claim(limit: number): Promise<void> {
    const important = Math.min(limit, this.model.due(0));
    const others = Math.min(limit - important, this.model.due(1));
    const { messages } = await claim(database.db, { limit });
    const counts = [0, 1].map(
      (priority) => messages.filter((message) => message.priority === priority).length,
    );
    expect(counts).toEqual([important, others]);
    for (const { id, attempt } of messages) {
      expect(attempt).toBe(this.model.claim(id).attempts);
      this.#attempts.push({ id, attempt, messageId: newMessageId() });
    }
  }

  async #settle({ id, attempt, messageId }: Attempt, next: Extract<Step, { kind: 'settle' }>): Promise<void> {
    const answer: ModelAnswer = {
      id,
      attempt,
      outcome: next.outcome,
      cost: next.cost,
      messageId: next.hasId ? messageId : null,
    };
    const settlement = {
      id,
      attempt,
      outcome: answer.outcome,
      providerMessageId: answer.messageId,
      cost: (answer.cost / 10_000).toFixed(4),
      currency: 'KES',
    };
    const batch = next.isRepeated ? [settlement, settlement] : [settlement];
    const expected = batch.map(() => this.model.settle(answer));
    const results = await settleSms(database.db, batch);
    expect(results.map(({ result }) => result)).toEqual(expected);
  }

  async #expire({ id }: Attempt): Promise<void> {
    await endLeases(sql, id);
    await expireSmsLeases(database.db);
    this.model.expire(id);
  }

  async #report({ messageId }: Attempt, state: keyof typeof RANKS): Promise<void> {
    await report(database.db, { state, providerMessageId: messageId });
    this.model.report(messageId, RANKS[state]);
  }

  async #decide({ id }: Attempt, decision: SmsDecision): Promise<void> {
    const isDone = await decideSms(database.db, { id, decision, decidedBy: 'amina', note: 'x' }).then(
      () => true,
      (error: unknown) => {
        if (isDaftariError(error) && error.code === 'nothing_to_decide') return false;
        throw error;
      },
    );
    expect(isDone).toBe(this.model.decide(id, decision));
  }

  async compare(): Promise<void> {
    const rows = await sql(
      `SELECT id::text AS id, priority::int AS priority, phase, status, attempts::int AS attempts,
              (cost * 10000)::int AS cost, provider_message_id AS "messageId", services.delivery_rank(delivery_state) AS rank
         FROM services.sms_logs WHERE id = ANY ($1) ORDER BY id`,
      [[...this.model.messages.keys()]],
    );
    const expected = [...this.model.messages.values()]
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .map(({ id, priority, phase, status, attempts, cost, messageId, rank }) => {
        return { id, priority, phase, status, attempts, cost, messageId, rank };
      });
    expect(rows).toEqual(expected);
  }
}

const SPENT = `SELECT coalesce(sum(cost) * 10000, 0)::int AS spent FROM services.sms_spend`;
const CHARGED = `SELECT coalesce(sum(cost) * 10000, 0)::int AS charged FROM services.sms_logs`;

test('whatever happens to messages, in whatever order, they end as in the model, and the costs add up', async () => {
  const run = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
    await drain(sql);
    const before = Number(await valueOf(sql, SPENT));
    const one = new Run();
    // Without messages there is nothing to see.
    await one.take({ kind: 'queue', priority: 0 });
    await one.take({ kind: 'claim', limit: 1 });
    for (const next of steps) await one.take(next);
    await one.compare();
    expect(Number(await valueOf(sql, SPENT)) - before).toBe(one.model.spent);
    expect(await valueOf(sql, CHARGED)).toBe(await valueOf(sql, SPENT));
  });
  await fc.assert(run, { numRuns: 150 });
});
