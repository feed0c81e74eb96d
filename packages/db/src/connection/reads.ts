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

type Work<Result> = (handle: Handle) => Promise<Result>;

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
  return options === undefined ? withoutReplica(primary) : new ReplicaReads(primary, options);
}

class ReplicaReads implements Reads {
  readonly answered = { replica: 0, primary: 0 };
  readonly #primary: Db;
  readonly #replica: Db;
  readonly #maxLagMs: number;
  readonly #answerTimeoutMs: number;
  readonly #listeners: ((state: ReadsState) => void)[] = [];
  /** By their time. */
  #marks: readonly Mark[] = [];
  #state: ReadsState = 'replica';
  #revisitAt = 0;

  constructor(primary: Db, { maxLagMs, answerTimeoutMs, ...where }: ReplicaOptions) {
    this.#primary = primary;
    this.#maxLagMs = maxLagMs ?? USUAL_LAG_MS;
    this.#answerTimeoutMs = answerTimeoutMs ?? USUAL_ANSWER_MS;
    this.#replica = createDb({ ...where, connectTimeoutMs: this.#answerTimeoutMs, readsOnly: true });
  }

  current<Result>(work: Work<Result>): Promise<Result> {
    return this.#read(async () => {
      const begun = performance.now();
      await this.#note();
      return begun;
    }, work);
  }

  recent<Result>(work: Work<Result>): Promise<Result> {
    return this.#read(async () => {
      const last = this.#marks.at(-1)?.at ?? Number.NEGATIVE_INFINITY;
      if (performance.now() - last > this.#maxLagMs / 4) await this.#note();
      return performance.now() - this.#maxLagMs;
    }, work);
  }

  async look(): ReturnType<Reads['look']> {
    // One look at a time is enough for reads that come meanwhile.
    this.#revisitAt = Number.POSITIVE_INFINITY;
    const begun = performance.now();
    try {
      await this.#note();
      const { freshness } = await this.#visit(begun, () => Promise.resolve());
      this.#learn(freshness);
      return { state: this.#state, lagMs: freshness.is === 'other' ? null : lagOf(freshness) };
    } catch {
      this.#become('away');
      return { state: 'away', lagMs: null };
    }
  }

  onChange(listener: (state: ReadsState) => void): void {
    this.#listeners.push(listener);
  }

  close(): Promise<void> {
    return this.#replica.close();
  }

  /** @param begin makes the marks that are needed, and says since when nothing may be missing */
  async #read<Result>(begin: () => Promise<number>, work: Work<Result>): Promise<Result> {
    if (this.#state !== 'replica') {
      if (performance.now() >= this.#revisitAt) void this.look();
      return this.#atPrimary(work);
    }
    const since = await begin();
    const found = await this.#visit(since, work).catch((error: unknown) => {
      if (isVerdict(error)) throw error;
      // A full pool is busy, and not away.
      if (!isDaftariError(error) || error.code !== 'pool_exhausted') this.#become('away');
      return null;
    });
    if (found !== null) this.#learn(found.freshness);
    if (found?.read === undefined) return this.#atPrimary(work);
    this.answered.replica += 1;
    return found.read.result;
  }

  #atPrimary<Result>(work: Work<Result>): Promise<Result> {
    this.answered.primary += 1;
    return work(this.#primary);
  }

  /** Reads at the replica if that gets as new as `since` within a moment. */
  #visit<Result>(since: number, work: Work<Result>): Promise<Visit<Result>> {
    const end = performance.now() + CATCH_UP_MS;
    const readWhenNew = async (tx: Handle, looked: () => void): Promise<Visit<Result>> => {
      for (;;) {
        const freshness = await freshnessOf(tx, this.#marks);
        const isNewEnough = freshness.is === 'standby' && freshness.asOf >= since;
        if (isNewEnough || freshness.is === 'other' || performance.now() >= end) {
          looked();
          // Each statement of the work begins later than the question, and sees what was replayed until then.
          return isNewEnough ? { freshness, read: { result: await work(tx) } } : { freshness };
        }
        await sleep(CATCH_UP_PAUSE_MS);
      }
    };
    return answering(this.#answerTimeoutMs + CATCH_UP_MS, (looked) =>
      transaction(this.#replica, (tx) => readWhenNew(tx, looked), { timeoutMs: LONGEST_READ_MS }),
    );
  }

  async #note(): Promise<void> {
    const mark = await markOf(this.#primary);
    // A promotion ends a history: what it left behind is never passed.
    const ofHistory = this.#marks.filter(({ timeline }) => timeline === mark.timeline);
    const byTime = [...ofHistory, mark].toSorted((one, other) => one.at - other.at);
    this.#marks = byTime.length <= MOST_MARKS ? byTime : byTime.filter(isKept);
  }

  #learn(freshness: Freshness): void {
    if (freshness.is === 'other') return this.#become('other');
    this.#marks = this.#marks.filter(({ at }) => at >= freshness.asOf);
    this.#become(lagOf(freshness) > this.#maxLagMs ? 'late' : 'replica');
  }

  #become(next: ReadsState): void {
    this.#revisitAt = performance.now() + REVISIT_MS;
    if (next === this.#state) return;
    this.#state = next;
    for (const listener of this.#listeners) listener(next);
  }
}

/** Every second mark goes where there are too many, but not the oldest, which says for how long one is missing. */
function isKept(_: Mark, index: number, all: readonly Mark[]): boolean {
  return index % 2 === 0 || index === all.length - 1;
}

function withoutReplica(primary: Db): Reads {
  const answered = { replica: 0, primary: 0 };
  const read = <Result>(work: Work<Result>): Promise<Result> => {
    answered.primary += 1;
    return work(primary);
  };
  return {
    current: read,
    recent: read,
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
