import { requireValid } from './deposit-batch.ts';
import type { Deposit, DepositOptions, DepositResult } from './deposit.ts';
import { recordDeposits } from './record-deposits.ts';
import type { LaneOptions } from '../connection/group-commit.ts';
import type { Handle } from '../connection/handle.ts';
import { requireAmount } from '../request.ts';
import { createTellingGroup } from '../sms/wake-after-commit.ts';
import { laneOf } from '../lanes.ts';

export type DepositIntakeOptions = LaneOptions & DepositOptions;

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
 *
 * Deposits are dealt to lanes by the account that they name, as the database deals wallets: round trips that go on at the
 * same time share no wallet. Those that name one account are recorded in the order in which they came.
 */
export function createDepositIntake(db: Handle, options: DepositIntakeOptions = {}): DepositIntake {
  const { maxAmount, ...commit } = options;
  const limit = maxAmount === undefined ? {} : { maxAmount: requireAmount(maxAmount) };
  const group = createTellingGroup<Deposit, DepositResult>(
    db,
    {
      run: (deposits) => recordDeposits(db, deposits, limit),
      failure: 'deposit_failed',
      laneOf: ({ account }) => laneOf(numberIn(account)),
    },
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

/** A number without the spaces and hyphens that people put between its digits; any other account as it was typed. */
export function numberIn(account: string): string {
  return /^[\d\s-]+$/.test(account) ? account.replace(/[\s-]/g, '') : account;
}
