import { availableParallelism } from 'node:os';
import { DaftariError, isDaftariError } from '../errors.ts';
import type { ErrorCode } from '../error-codes/catalogue.ts';
import { LANES } from '../lanes.ts';

export interface GroupCommitOptions {
  /** Items that may wait; beyond it `submit` refuses with `queue_full`. Default: 20,000. */
  readonly maxQueue?: number;
  /** Items in one round trip at most, 1 to 4,000. Default: 1,000. */
  readonly maxBatch?: number;
}

/** For work whose items can be dealt to several lanes. */
export interface LaneOptions extends GroupCommitOptions {
  /**
   * Round trips that go on at the same time, 1 to 16, each with items of its own lanes, so that none waits for the
   * locks of another. Default: the cores that Node may use, at most eight.
   */
  readonly lanes?: number;
}

/** How a batch is done. */
export interface GroupWork<Item, Result> {
  /** Does all items in one database transaction, or none; results in the order of the items. Safe to repeat. */
  run(items: readonly Item[]): Promise<Result[]>;
  /** What a lone item is told when the database refuses it. */
  readonly failure: ErrorCode;
  /** The lane of an item, 0 to 15. Without it there is one lane for all. */
  laneOf?(item: Item): number;
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

/**
 * Group commit: while one round trip is under way, items gather, and go together in the next. There is no timer: an
 * item that comes alone goes at once. One that the database refuses fails alone, never its neighbours.
 *
 * With several lanes each has round trips of its own, one after the other. While few wait they all go together, for half
 * a group costs more than half of one.
 */
export function createGroupCommit<Item, Result>(
  work: GroupWork<Item, Result>,
  options: LaneOptions = {},
): GroupCommit<Item, Result> {
  const maxQueue = options.maxQueue ?? 20_000;
  const maxBatch = Math.min(Math.max(options.maxBatch ?? 1_000, 1), 4_000);
  const count = work.laneOf === undefined ? 1 : lanesOf(options);
  const lanes = Array.from({ length: count }, (): Lane<Item, Result> => ({ waiting: [], underWay: 0 }));
  const underWay = new Set<Promise<void>>();
  const items = { waiting: 0, inFlight: 0 };
  let isScheduled = false;
  let isClosed = false;

  function dispatch(): void {
    isScheduled = false;
    const areFew = underWay.size === 0 && items.waiting <= Math.min(FEW, maxBatch);
    for (const trip of tripsOf(lanes, { maxBatch, areFew })) send(trip);
  }

  function send({ busy, batch }: Trip<Item, Result>): void {
    items.waiting -= batch.length;
    items.inFlight += batch.length;
    for (const lane of busy) lane.underWay += 1;
    const settling = settle(work, batch).finally(() => {
      items.inFlight -= batch.length;
      for (const lane of busy) lane.underWay -= 1;
      underWay.delete(settling);
      schedule();
    });
    underWay.add(settling);
  }

  // Callers of one turn of the event loop travel together, and those that were answered in it may ask again first.
  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(dispatch);
  }

  return {
    submit(item) {
      return new Promise((resolve, reject) => {
        if (isClosed) throw new DaftariError('intake_closed');
        if (items.waiting >= maxQueue) throw new DaftariError('queue_full');
        const lane = lanes[(work.laneOf?.(item) ?? 0) % count];
        if (lane === undefined) throw new DaftariError(work.failure);
        lane.waiting.push({ item, resolve, reject });
        items.waiting += 1;
        schedule();
      });
    },
    async close() {
      isClosed = true;
      while (items.waiting + items.inFlight > 0) {
        dispatch();
        await Promise.race(underWay);
      }
    },
    get depth() {
      return items.waiting + items.inFlight;
    },
  };
}

/** Items whose batches share nothing with those of other lanes. */
interface Lane<Item, Result> {
  waiting: Waiting<Item, Result>[];
  /** Round trips. */
  underWay: number;
}

/** So many wait at most when the lanes go together. */
const FEW = 32;

/** The most lanes that are used unasked: a server has other work as well. */
const MOST_LANES_BY_DEFAULT = 8;

function lanesOf({ lanes = Math.min(availableParallelism(), MOST_LANES_BY_DEFAULT) }: LaneOptions): number {
  return Math.min(Math.max(Math.trunc(lanes), 1), LANES);
}

/** A batch that leaves, and the lanes that are busy until it is back. */
interface Trip<Item, Result> {
  readonly busy: readonly Lane<Item, Result>[];
  readonly batch: readonly Waiting<Item, Result>[];
}

/**
 * The batches that leave now. Those of one lane pass one after the other. Where it is the only one a second batch leaves
 * when it is full: its preparations run while the first one commits, and it halves nobody's group. Among several the
 * others use that time, and what arrived first is done first.
 *
 * @param areFew nothing is under way, and so few wait that all lanes go together
 */
function* tripsOf<Item, Result>(
  lanes: readonly Lane<Item, Result>[],
  { maxBatch, areFew }: { readonly maxBatch: number; readonly areFew: boolean },
): Generator<Trip<Item, Result>> {
  if (areFew && lanes.length > 1) {
    const batch = lanes.flatMap((lane) => takeFrom(lane, maxBatch));
    if (batch.length > 0) yield { busy: lanes, batch };
    return;
  }
  const mostTrips = lanes.length === 1 ? 2 : 1;
  for (const lane of lanes) {
    while (
      lane.waiting.length > 0 &&
      (lane.underWay === 0 || (lane.underWay < mostTrips && lane.waiting.length >= maxBatch))
    ) {
      yield { busy: [lane], batch: takeFrom(lane, maxBatch) };
    }
  }
}

function takeFrom<Item, Result>(lane: Lane<Item, Result>, most: number): Waiting<Item, Result>[] {
  const taken = lane.waiting.slice(0, most);
  lane.waiting = lane.waiting.slice(taken.length);
  return taken;
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
