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
  'database_unavailable',
  'pool_exhausted',
  'database_busy',
  'schema_outdated',
]);

/** After a lost connection the batch is said again, as often as this: every deposit is still recorded once. */
const TRIES_AFTER_LOSS = 3;

/**
 * Group commit: while one round trip is under way, deposits gather, and go together in the next. There is no timer:
 * a deposit that comes alone goes at once. One that the database refuses fails alone, never its neighbours.
 *
 * A batch takes the lock of the float wallet for as long as it runs, so that a second one of this process could only
 * wait for the first; there is one at a time.
 */
export function createDepositIntake(db: Handle, options: DepositIntakeOptions = {}): DepositIntake {
  const maxQueue = options.maxQueue ?? 20_000;
  const maxBatch = Math.min(Math.max(options.maxBatch ?? 1_000, 1), 4_000);
  let waiting: Waiting[] = [];
  let inFlight = 0;
  let running: Promise<void> | null = null;
  let isClosed = false;

  async function drain(): Promise<void> {
    // Callers of one turn of the event loop travel together.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const batch = waiting.slice(0, maxBatch);
      waiting = waiting.slice(batch.length);
      inFlight = batch.length;
      await settle(db, batch);
      inFlight = 0;
      // Whoever was answered just now gets to ask again before the next batch leaves.
      await new Promise((resolve) => setImmediate(resolve));
    }
    running = null;
  }

  return {
    async record(deposit) {
      if (isClosed) throw new DaftariError('intake_closed');
      if (waiting.length >= maxQueue) throw new DaftariError('queue_full');
      requireValid(deposit);
      return new Promise((resolve, reject) => {
        waiting.push({ deposit, resolve, reject });
        running ??= drain();
      });
    },
    async close() {
      isClosed = true;
      await running;
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
  const isBlameless = isDaftariError(error) && NOT_THE_DEPOSITS.has(error.code);
  if (batch.length > 1 && !isBlameless) {
    const middle = Math.ceil(batch.length / 2);
    await settle(db, batch.slice(0, middle));
    await settle(db, batch.slice(middle));
    return;
  }
  const answer =
    isBlameless || isUnknown(error) ? error : new DaftariError('deposit_failed', { cause: error });
  batch.forEach(({ reject }) => reject(answer));
}

async function recordPersistently(db: Handle, batch: readonly Waiting[]): Promise<DepositResult[]> {
  const deposits = batch.map(({ deposit }) => deposit);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await recordDeposits(db, deposits);
    } catch (error) {
      if (!isUnknown(error) || attempt === TRIES_AFTER_LOSS) throw error;
    }
  }
}

function isUnknown(error: unknown): error is DaftariError {
  return isDaftariError(error) && error.code === 'outcome_unknown';
}
