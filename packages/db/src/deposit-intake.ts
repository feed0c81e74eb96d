import { requireValid } from './deposit-batch.ts';
import type { Deposit, DepositResult } from './deposit.ts';
import { recordDeposits } from './deposits.ts';
import { DaftariError, isDaftariError } from './errors.ts';
import type { ErrorCode } from './errors.ts';
import type { Handle } from './db.ts';

export interface DepositIntakeOptions {
  /** Deposits that may wait; beyond it `record` refuses with `queue_full`. 20,000 unless said otherwise. */
  readonly maxQueue?: number;
  /** Deposits in one round trip at most, 1 to 4,000; 1,000 unless said otherwise. */
  readonly maxBatch?: number;
}

/** Records deposits for many callers at once, each of whom awaits one. */
export interface DepositIntake {
  /** Resolves after the commit that recorded the deposit; throws as `recordDeposit` does, and `queue_full` or `intake_closed`. */
  record(deposit: Deposit): Promise<DepositResult>;
  /** Takes no more, waits until all that was taken is recorded. */
  close(): Promise<void>;
  /** Deposits taken and not yet answered. */
  readonly depth: number;
}

interface Waiting {
  readonly deposit: Deposit;
  readonly resolve: (result: DepositResult) => void;
  readonly reject: (error: DaftariError) => void;
}

/** After these nothing is wrong with any deposit of the batch, and splitting it would only ask in vain more often. */
const NOT_THE_DEPOSITS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'outcome_unknown',
  'database_unavailable',
  'pool_exhausted',
  'database_busy',
  'schema_outdated',
]);

/** After a lost connection the batch is said again, as often as this: every deposit is still recorded once. */
const TRIES_AFTER_LOSS = 3;

/** Round trips under way at once, at most. */
const LANES = 2;

/**
 * Group commit: while one round trip is under way, deposits gather, and go together in the next. There is no timer:
 * a deposit that comes alone goes at once. One that the database refuses fails alone, never its neighbours.
 *
 * Every batch takes the lock of the float wallet, so batches pass one after the other. A second one leaves only when
 * it is full: it routes its deposits while the first one commits, and halves nobody's group.
 */
export function createDepositIntake(db: Handle, options: DepositIntakeOptions = {}): DepositIntake {
  const maxQueue = options.maxQueue ?? 20_000;
  const maxBatch = Math.min(Math.max(options.maxBatch ?? 1_000, 1), 4_000);
  const underWay = new Set<Promise<void>>();
  let waiting: Waiting[] = [];
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
      const lane = settle(db, batch).finally(() => {
        inFlight -= batch.length;
        underWay.delete(lane);
        schedule();
      });
      underWay.add(lane);
    }
  }

  // Callers of one turn of the event loop travel together, and whoever was answered in it gets to ask again first.
  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(dispatch);
  }

  return {
    async record(deposit) {
      if (isClosed) throw new DaftariError('intake_closed');
      if (waiting.length >= maxQueue) throw new DaftariError('queue_full');
      requireValid(deposit);
      return new Promise((resolve, reject) => {
        waiting.push({ deposit, resolve, reject });
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

/** Records a batch and answers everyone in it; halves it, again and again, to find what the database refuses. */
async function settle(db: Handle, batch: readonly Waiting[]): Promise<void> {
  try {
    const results = await recordPersistently(db, batch);
    batch.forEach(({ resolve, reject }, index) => {
      const result = results[index];
      if (result === undefined) reject(new DaftariError('deposit_failed'));
      else resolve(result);
    });
  } catch (error) {
    await settleFailed(db, batch, error);
  }
}

async function settleFailed(db: Handle, batch: readonly Waiting[], error: unknown): Promise<void> {
  if (batch.length > 1 && !isBlameless(error)) {
    const middle = Math.ceil(batch.length / 2);
    await settle(db, batch.slice(0, middle));
    await settle(db, batch.slice(middle));
    return;
  }
  const answer = isBlameless(error) ? error : new DaftariError('deposit_failed', { cause: error });
  batch.forEach(({ reject }) => reject(answer));
}

async function recordPersistently(db: Handle, batch: readonly Waiting[]): Promise<DepositResult[]> {
  const deposits = batch.map(({ deposit }) => deposit);
  let lost: DaftariError | null = null;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await recordDeposits(db, deposits);
    } catch (error) {
      if (!isBlameless(error)) throw error;
      // Once an answer was lost, an error that says "nothing was recorded" speaks for its own try only.
      if (error.code !== 'outcome_unknown') throw lost ?? error;
      if (attempt === TRIES_AFTER_LOSS) throw error;
      lost = error;
    }
  }
}

function isBlameless(error: unknown): error is DaftariError {
  return isDaftariError(error) && NOT_THE_DEPOSITS.has(error.code);
}
