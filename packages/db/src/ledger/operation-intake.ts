import type { Handle } from '../connection/handle.ts';
import type { GroupCommitOptions } from '../connection/group-commit.ts';
import { CAPTURING, PLACING, RELEASING } from './holds.ts';
import type { Capture, CaptureRequest, Hold, HoldRequest } from './holds.ts';
import { runOperations } from './operations.ts';
import type { Operation, OperationKind, OperationResult } from './operations.ts';
import type { Posted } from './posted.ts';
import { REVERSING } from './reversals.ts';
import type { Reversal, ReversalRequest } from './reversals.ts';
import { ASSIGNING } from './assign-suspense.ts';
import type { AssignmentRequest } from './assign-suspense.ts';
import { createTellingGroup } from '../sms/wake-after-commit.ts';

/**
 * Group commit of what is neither deposit nor transfer: what many callers ask for at the same time goes in one round
 * trip, in the order in which they asked. Each function resolves after the commit; it throws as its namesake does, and
 * `queue_full`, `intake_closed` or `request_failed`.
 */
export interface LedgerIntake {
  hold(request: HoldRequest): Promise<Hold>;
  captureHold(request: CaptureRequest): Promise<Capture>;
  releaseHold(request: { readonly holdId: string }): Promise<Hold>;
  reverseTransaction(request: ReversalRequest): Promise<Reversal>;
  assignSuspense(request: AssignmentRequest): Promise<Posted>;
  /** Accepts nothing new, and waits until everything accepted is answered. */
  close(): Promise<void>;
  /** Operations taken and not yet answered. */
  readonly depth: number;
}

export function createLedgerIntake(db: Handle, options: GroupCommitOptions = {}): LedgerIntake {
  const group = createTellingGroup<Operation, OperationResult>(
    db,
    { run: (operations) => runOperations(db, operations), failure: 'request_failed' },
    { maxBatch: LARGEST_BATCH, ...options },
  );
  const taking =
    <Request, Answer>(kind: OperationKind<Request, Answer>) =>
    async (request: Request): Promise<Answer> =>
      kind.read(await group.submit(kind.prepare(request)));
  return {
    hold: taking(PLACING),
    captureHold: taking(CAPTURING),
    releaseHold: taking(RELEASING),
    reverseTransaction: taking(REVERSING),
    assignSuspense: taking(ASSIGNING),
    close: () => group.close(),
    get depth() {
      return group.depth;
    },
  };
}

/**
 * Operations are done one after the other under the locks of all, and each leaves a version of its wallets' rows that
 * the next ones of the batch step over: measured, larger batches do less in a second.
 */
const LARGEST_BATCH = 64;
