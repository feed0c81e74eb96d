import { ServerRoleError } from '@repo/database-url';
import type { Client } from 'pg';
import { DaftariError } from '../errors.ts';

/** What a session finds of its server, as the server has it for this session. */
interface Found {
  readonly isStandby: boolean;
  readonly isReadOnly: boolean;
  readonly fsync: string;
  readonly fullPageWrites: string;
  readonly synchronousCommit: string;
  /** Whether the server was started for tests, to be thrown away: `daftari.disposable`. */
  readonly isDisposable: boolean;
}

/** One round trip, for a new connection and for each question whether a service is ready. */
export const SERVER_CHECK = `
  SELECT pg_catalog.pg_is_in_recovery() AS "isStandby",
         pg_catalog.current_setting('transaction_read_only') = 'on' AS "isReadOnly",
         pg_catalog.current_setting('fsync') AS "fsync",
         pg_catalog.current_setting('full_page_writes') AS "fullPageWrites",
         pg_catalog.current_setting('synchronous_commit') AS "synchronousCommit",
         coalesce(pg_catalog.current_setting('daftari.disposable', true), '') = 'on' AS "isDisposable"`;

/** Those that answer a commit before the log is on the disk, or on the disk of the synchronous standby. */
const LOWERED = ['off', 'local', 'remote_write'];

/**
 * Refuses a server that money must not be written to, or decided by: a standby, whose rows are late; one that takes no
 * writes; and one that forgets with the power what it has acknowledged. A server that says of itself that it may
 * be thrown away (`daftari.disposable=on`) may forget.
 *
 * @throws ServerRoleError for the first two, and DaftariError `database_not_durable`
 */
function judgeServer(found: Found): void {
  if (found.isStandby) throw new ServerRoleError('the server is a standby');
  if (found.isReadOnly) throw new ServerRoleError('the server takes no writes');
  const faults = found.isDisposable ? [] : faultsOf(found);
  if (faults.length === 0) return;
  const advice = `${faults.join(', ')}: ${NOT_DURABLE}`;
  throw new DaftariError('database_not_durable', { advice });
}

const NOT_DURABLE =
  'a loss of power would lose payments that were acknowledged. Set fsync and full_page_writes to on, and synchronous_commit to on or remote_apply, for the server, the database and the role of DATABASE_URL. A server for tests may say daftari.disposable=on. Nothing was recorded.';

function faultsOf({ fsync, fullPageWrites, synchronousCommit }: Found): string[] {
  return [
    ...(fsync === 'off' ? ['fsync is off'] : []),
    ...(fullPageWrites === 'off' ? ['full_page_writes is off'] : []),
    ...(LOWERED.includes(synchronousCommit) ? [`synchronous_commit is ${synchronousCommit}`] : []),
  ];
}

/** Asks a new session, before anything else is done with it; waits for the answer for so many milliseconds at most. */
export async function admitToMoney(client: Client, query_timeout: number): Promise<void> {
  const asked = { text: SERVER_CHECK, query_timeout };
  const { rows } = await client.query<Found>(asked);
  judgeRows(rows);
}

/** Judges the one row that SERVER_CHECK finds. */
export function judgeRows(rows: readonly unknown[]): void {
  const [found] = rows as readonly (Found | undefined)[];
  if (found !== undefined) judgeServer(found);
}
