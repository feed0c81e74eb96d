import { setTimeout as sleep } from 'node:timers/promises';
import { createDb } from './db.ts';
import type { Db, DbOptions } from './db.ts';
import { DaftariError, isDaftariError } from '../errors.ts';
import type { Handle } from './handle.ts';
import { freshnessOf, markOf } from './replay.ts';
import type { Freshness, Mark } from './replay.ts';
import { transaction } from './transaction.ts';

export interface ReplicaOptions extends Pick<DbOptions, 'url' | 'maxConnections' | 'pooler'> {
  /** A read that would be older goes to the primary; milliseconds. Default: 5,000. */
  readonly maxLagMs?: number;
  /** A replica that does not answer so small a question by then is away; milliseconds. Default: 1,000. */
  readonly answerTimeoutMs?: number;
}

/**
 * Who answers reads: the `replica`, or the primary, because there is no replica (`none`), it is `away` (it does not answer,
 * or with an error), it is `late` (older than allowed), or the URL leads to a server that is no standby of this primary
 * (`other`).
 */
export type ReadsState = 'none' | 'replica' | 'away' | 'late' | 'other';

/**
 * Reads that nothing is decided by: lists, statements, reports. The work may run twice, on the replica and then on the
 * primary, so it only reads.
 */
export interface Reads {
  /** Sees everything that was acknowledged before this call, by any process. */
  current<Result>(work: (handle: Handle) => Promise<Result>): Promise<Result>;
  /** Sees everything that was acknowledged `maxLagMs` before this call. */
  recent<Result>(work: (handle: Handle) => Promise<Result>): Promise<Result>;
  /** Looks at the replica now. The lag in milliseconds is null while nobody knows it. */
  look(): Promise<{ readonly state: ReadsState; readonly lagMs: number | null }>;
  /** Calls back when who answers has changed. */
  onChange(listener: (state: ReadsState) => void): void;
  /** How many reads each has answered. */
  readonly answered: { readonly replica: number; readonly primary: number };
  /** Ends the connections to the replica; the primary's stay the caller's. */
  close(): Promise<void>;
}

const USUAL_LAG_MS = 5_000;

/** How long a read waits for the replica to get as far as it must be. */
const CATCH_UP_MS = 100;
const CATCH_UP_PAUSE_MS = 5;

const USUAL_ANSWER_MS = 1_000;

/** So often is a replica that is not used looked at, when there is something to read. */
const REVISIT_MS = 1_000;

/** A report may take longer than a transaction that holds locks. */
const LONGEST_READ_MS = 30_000;

/** So many marks are kept at most. */
const MOST_MARKS = 64;

/** What a visit at the replica found, with the result of the work if it was new enough. */
interface Visit<Result> {
  readonly freshness: Freshness;
  readonly read?: { readonly result: Result };
}

/**
 * Reads from a replica where that is new enough, and from the primary otherwise. Without options everything is read from the
 * primary.
 *
 * How new it is, is measured and not believed: the primary's position in the log is noted with the time by this
 * process's clock alone, and what the replica has replayed is as new as the last note that it has passed. That is asked in
 * the session that reads, so several replicas may stand behind the URL.
 */
export function createReads(primary: Db, options?: ReplicaOptions): Reads {
  const answered = { replica: 0, primary: 0 };
  const atPrimary = <Result>(work: (handle: Handle) => Promise<Result>): Promise<Result> => {
    answered.primary += 1;
    return work(primary);
  };
  if (options === undefined) return withoutReplica(atPrimary, answered);

  const { maxLagMs = USUAL_LAG_MS, answerTimeoutMs = USUAL_ANSWER_MS, ...where } = options;
  const replica = createDb({ ...where, connectTimeoutMs: answerTimeoutMs, readsOnly: true });
  const listeners: ((state: ReadsState) => void)[] = [];
  let marks: readonly Mark[] = [];
  let state: ReadsState = 'replica';
  let revisitAt = 0;

  function become(next: ReadsState): void {
    revisitAt = performance.now() + REVISIT_MS;
    if (next === state) return;
    state = next;
    for (const listener of listeners) listener(next);
  }

  async function note(): Promise<void> {
    const mark = await markOf(primary);
    // A promotion ends a history: what it left behind is never passed.
    const ofHistory = marks.filter(({ timeline }) => timeline === mark.timeline);
    const byTime = [...ofHistory, mark].toSorted((one, other) => one.at - other.at);
    marks = byTime.length <= MOST_MARKS ? byTime : byTime.filter(isKept);
  }

  /** Reads at the replica if that gets as new as `since` within a moment. */
  function visit<Result>(since: number, work: (handle: Handle) => Promise<Result>): Promise<Visit<Result>> {
    const end = performance.now() + CATCH_UP_MS;
    return answering(answerTimeoutMs + CATCH_UP_MS, (looked) =>
      transaction(
        replica,
        async (tx) => {
          for (;;) {
            const freshness = await freshnessOf(tx, marks);
            const isNewEnough = freshness.is === 'standby' && freshness.asOf >= since;
            if (!isNewEnough && freshness.is === 'standby' && performance.now() < end) {
              await sleep(CATCH_UP_PAUSE_MS);
              continue;
            }
            looked();
            // Each statement of the work begins later than the question, and sees what was replayed until then.
            return isNewEnough ? { freshness, read: { result: await work(tx) } } : { freshness };
          }
        },
        { timeoutMs: LONGEST_READ_MS },
      ),
    );
  }

  function learn(freshness: Freshness): void {
    if (freshness.is === 'other') return become('other');
    marks = marks.filter(({ at }) => at >= freshness.asOf);
    become(lagOf(freshness) > maxLagMs ? 'late' : 'replica');
  }

  async function read<Result>(
    begin: () => Promise<number>,
    work: (handle: Handle) => Promise<Result>,
  ): Promise<Result> {
    if (state !== 'replica') {
      if (performance.now() >= revisitAt) void look().catch(() => undefined);
      return atPrimary(work);
    }
    const since = await begin();
    const found = await visit(since, work).catch((error: unknown) => {
      if (isVerdict(error)) throw error;
      // A full pool is busy, and not away.
      if (!isDaftariError(error) || error.code !== 'pool_exhausted') become('away');
      return null;
    });
    if (found !== null) learn(found.freshness);
    if (found?.read === undefined) return atPrimary(work);
    answered.replica += 1;
    return found.read.result;
  }

  async function look(): ReturnType<Reads['look']> {
    // One look at a time is enough for reads that come meanwhile.
    revisitAt = Number.POSITIVE_INFINITY;
    const begun = performance.now();
    try {
      await note();
      const { freshness } = await visit(begun, () => Promise.resolve());
      learn(freshness);
      return { state, lagMs: freshness.is === 'other' ? null : lagOf(freshness) };
    } catch {
      become('away');
      return { state, lagMs: null };
    }
  }

  return {
    current: (work) =>
      read(async () => {
        const begun = performance.now();
        await note();
        return begun;
      }, work),
    recent: (work) =>
      read(async () => {
        const last = marks.at(-1)?.at ?? Number.NEGATIVE_INFINITY;
        if (performance.now() - last > maxLagMs / 4) await note();
        return performance.now() - maxLagMs;
      }, work),
    look,
    onChange: (listener) => {
      listeners.push(listener);
    },
    answered,
    close: () => replica.close(),
  };
}

/** Every second mark goes where there are too many, but not the oldest, which says for how long one is missing. */
function isKept(_: Mark, index: number, all: readonly Mark[]): boolean {
  return index % 2 === 0 || index === all.length - 1;
}

function withoutReplica(atPrimary: Reads['current'], answered: Reads['answered']): Reads {
  return {
    current: atPrimary,
    recent: atPrimary,
    look: () => Promise.resolve({ state: 'none', lagMs: null }),
    onChange: () => undefined,
    answered,
    close: () => Promise.resolve(),
  };
}

/** How long the replica has been without something; it may have lacked it a little longer. */
function lagOf({ behindSince }: Extract<Freshness, { is: 'standby' }>): number {
  return behindSince === null ? 0 : performance.now() - behindSince;
}

/** Gives the work so long until it says that the server has answered, and then as long as it takes. */
async function answering<Result>(
  limitMs: number,
  work: (looked: () => void) => Promise<Result>,
): Promise<Result> {
  const { promise: silence, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new DaftariError('database_unavailable')), limitMs);
  const working = work(() => clearTimeout(timer));
  // When it is given up, nobody waits for how it ends.
  working.catch(() => undefined);
  try {
    return await Promise.race([working, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the work itself has decided: the primary would say the same. */
function isVerdict(error: unknown): boolean {
  return !isDaftariError(error) || error.kind === 'refused';
}
