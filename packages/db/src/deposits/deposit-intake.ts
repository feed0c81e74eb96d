import { requireValid } from './deposit-batch.ts';
import type { Deposit, DepositOptions, DepositResult } from './deposit.ts';
import { recordDeposits } from './record-deposits.ts';
import type { GroupCommitOptions } from '../connection/group-commit.ts';
import type { Handle } from '../connection/handle.ts';
import { requireAmount } from '../request.ts';
import { createTellingGroup } from '../sms/wake-after-commit.ts';

export type DepositIntakeOptions = GroupCommitOptions & DepositOptions;

/** Records deposits for many callers at once, each of whom awaits one. */
export interface DepositIntake {
  /**
   * Resolves after the commit that recorded the deposit; throws as `recordDeposit` does, and `queue_full` or
   * `intake_closed`.
   */
  record(deposit: Deposit): Promise<DepositResult>;
  /** Accepts nothing new, and waits until everything accepted is recorded. */
  close(): Promise<void>;
  /** Deposits taken and not yet answered. */
  readonly depth: number;
}

/**
 * Group commit of deposits: what many callers report at the same time goes in one round trip. The senders of SMS are
 * woken afterwards; where `recordDeposit` is called by itself they find the messages when they poll.
 */
export function createDepositIntake(db: Handle, options: DepositIntakeOptions = {}): DepositIntake {
  const { maxAmount, ...commit } = options;
  const limit = maxAmount === undefined ? {} : { maxAmount: requireAmount(maxAmount) };
  const group = createTellingGroup<Deposit, DepositResult>(
    db,
    { run: (deposits) => recordDeposits(db, deposits, limit), failure: 'deposit_failed' },
    commit,
  );
  return {
    async record(deposit) {
      requireValid(deposit);
      return group.submit(deposit);
    },
    close: () => group.close(),
    get depth() {
      return group.depth;
    },
  };
}
