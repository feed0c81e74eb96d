import { DaftariError, isDaftariError } from '../errors.ts';
import type { ErrorCode } from '../error-codes/catalogue.ts';

export interface GroupCommitOptions {
  /** Items that may wait; beyond it `submit` refuses with `queue_full`. Default: 20,000. */
  readonly maxQueue?: number;
  /** Items in one round trip at most, 1 to 4,000. Default: 1,000. */
  readonly maxBatch?: number;
}

/** How a batch is done. */
export interface GroupWork<Item, Result> {
  /** Does all items in one database transaction, or none; results in the order of the items. Safe to repeat. */
  run(items: readonly Item[]): Promise<Result[]>;
  /** What a lone item is told when the database refuses it. */
  readonly failure: ErrorCode;
}

export interface GroupCommit<Item, Result> {
  /** Resolves after the commit. */
  submit(item: Item): Promise<Result>;
  /** Takes no more, waits until all that was taken is answered. */
  close(): Promise<void>;
  /** Items taken and not yet answered. */
  readonly depth: number;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: DaftariError) => void;
}

/** How often a batch is repeated after a lost connection: every item is still done once. */
const TRIES_AFTER_LOSS = 3;

/** Round trips under way at once, at most. */
const LANES = 2;

/**
 * Group commit: while one round trip is under way, items gather, and go together in the next. There is no timer: an
 * item that comes alone goes at once. One that the database refuses fails alone, never its neighbours.
 *
 * Batches that share a hot wallet pass one after the other. A second one leaves only when it is full: its
 * preparations run while the first one commits, and it halves nobody's group.
 */
export function createGroupCommit<Item, Result>(
  work: GroupWork<Item, Result>,
  options: GroupCommitOptions = {},
): GroupCommit<Item, Result> {
  const maxQueue = options.maxQueue ?? 20_000;
  const maxBatch = Math.min(Math.max(options.maxBatch ?? 1_000, 1), 4_000);
  const underWay = new Set<Promise<void>>();
  let waiting: Waiting<Item, Result>[] = [];
  let inFlight = 0;
  let isScheduled = false;
  let isClosed = false;

  function dispatch(): void {
    isScheduled = false;
    while (
      waiting.length > 0 &&
      (underWay.size === 0 || (underWay.size < LANES && waiting.length >= maxBatch))
    ) {
      const batch = waiting.slice(0, maxBatch);
      waiting = waiting.slice(batch.length);
      inFlight += batch.length;
      const lane = settle(work, batch).finally(() => {
        inFlight -= batch.length;
        underWay.delete(lane);
        schedule();
      });
      underWay.add(lane);
    }
  }

  // Callers of one turn of the event loop travel together, and those that were answered in it may ask again first.
  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(dispatch);
  }

  return {
    async submit(item) {
      if (isClosed) throw new DaftariError('intake_closed');
      if (waiting.length >= maxQueue) throw new DaftariError('queue_full');
      return new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        schedule();
      });
    },
    async close() {
      isClosed = true;
      while (waiting.length + inFlight > 0) {
        dispatch();
        await Promise.race(underWay);
      }
    },
    get depth() {
      return waiting.length + inFlight;
    },
  };
}

/** Does a batch and answers everyone in it; halves it, again and again, to find what the database refuses. */
async function settle<Item, Result>(
  work: GroupWork<Item, Result>,
  batch: readonly Waiting<Item, Result>[],
): Promise<void> {
  try {
    const results = await runPersistently(work, batch);
    batch.forEach(({ resolve, reject }, index) => {
      const result = results[index];
      if (result === undefined) reject(new DaftariError(work.failure));
      else resolve(result);
    });
  } catch (error) {
    if (batch.length > 1 && !isBlameless(error)) {
      const middle = Math.ceil(batch.length / 2);
      await settle(work, batch.slice(0, middle));
      await settle(work, batch.slice(middle));
      return;
    }
    const answer = isBlameless(error) ? error : new DaftariError(work.failure, { cause: error });
    batch.forEach(({ reject }) => reject(answer));
  }
}

async function runPersistently<Item, Result>(
  work: GroupWork<Item, Result>,
  batch: readonly Waiting<Item, Result>[],
): Promise<Result[]> {
  const items = batch.map(({ item }) => item);
  let lost: DaftariError | null = null;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work.run(items);
    } catch (error) {
      if (!isBlameless(error)) throw error;
      // Once an answer was lost, an error that says "nothing was recorded" speaks for its own try only.
      if (error.kind !== 'doubtful') throw lost ?? error;
      if (attempt === TRIES_AFTER_LOSS) throw error;
      lost = error;
    }
  }
}

/** Whether nothing is wrong with any item of the batch: splitting it would only ask in vain more often. */
function isBlameless(error: unknown): error is DaftariError {
  return isDaftariError(error) && (error.kind === 'busy' || error.kind === 'doubtful');
}
