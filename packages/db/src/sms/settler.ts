import type { Handle } from '../connection/handle.ts';
import { createGroupCommit } from '../connection/group-commit.ts';
import type { GroupCommitOptions } from '../connection/group-commit.ts';
import { settleSms } from './settlements.ts';
import type { SettledSms, SmsSettlement } from './settlements.ts';

/** Records what came of attempts for a sender, each of whose messages awaits its own. */
export interface SmsSettler {
  /**
   * Resolves after the commit. Throws `request_failed` when the database refuses this settlement in particular, and
   * `queue_full` or `intake_closed`. Whatever it throws, the settlement can be retried.
   */
  settle(settlement: SmsSettlement): Promise<SettledSms>;
  /** Accepts nothing new, and waits until everything accepted is recorded. */
  close(): Promise<void>;
  /** Settlements taken and not yet answered. */
  readonly depth: number;
}

/** Group commit of settlements: what is answered while a round trip is under way goes in the next one. */
export function createSmsSettler(db: Handle, options: GroupCommitOptions = {}): SmsSettler {
  const group = createGroupCommit<SmsSettlement, SettledSms>(
    { run: (settlements) => settleSms(db, settlements), failure: 'request_failed' },
    options,
  );
  return {
    settle: (settlement) => group.submit(settlement),
    close: () => group.close(),
    get depth() {
      return group.depth;
    },
  };
}
