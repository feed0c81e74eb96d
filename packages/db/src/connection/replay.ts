import { query } from './handle.ts';
import type { Handle, Statement } from './handle.ts';

/** How far a server is in the log of its database. */
interface Position {
  /** The identifier of the cluster: that of its standbys is the same. */
  readonly system: string;
  /** Each promotion begins a new one. */
  readonly timeline: number;
  readonly lsn: bigint;
}

/** How far the primary was at a moment; everything that was acknowledged before it is in the log up to there. */
export interface Mark extends Position {
  /** `performance.now()`, taken before the primary was asked. */
  readonly at: number;
}

/** How new a server is, in the terms of the marks. */
export type Freshness =
  /** It is no standby of this primary. */
  | { readonly is: 'other' }
  | {
      readonly is: 'standby';
      /** It has everything that was acknowledged before this moment. */
      readonly asOf: number;
      /** Something that was in the primary's log at this moment is missing; null when nothing is known to be. */
      readonly behindSince: number | null;
    };

interface Row {
  readonly system: string;
  readonly timeline: number;
  readonly lsn: string;
}

const PRIMARY: Statement = {
  name: 'primary_position',
  text: `SELECT c.system_identifier::text AS system,
                ('x' || substr(pg_walfile_name(l.lsn), 1, 8))::bit(32)::int AS timeline,
                (l.lsn - '0/0')::text AS lsn
           FROM pg_control_system() AS c
          CROSS JOIN (SELECT pg_current_wal_lsn() AS lsn) AS l`,
};

// The timeline of a standby is that of the log whose pages it has written: after a failover it says the new one a little
// later than it replays it, which makes it late and never too new.
const STANDBY: Statement = {
  name: 'standby_position',
  text: `SELECT c.system_identifier::text AS system, pg_is_in_recovery() AS "isStandby",
                greatest(r.min_recovery_end_timeline, p.timeline_id) AS timeline,
                coalesce(pg_last_wal_replay_lsn() - '0/0', 0)::text AS lsn
           FROM pg_control_system() AS c
          CROSS JOIN pg_control_recovery() AS r
          CROSS JOIN pg_control_checkpoint() AS p`,
};

/** Asks the primary how far it is. */
export async function markOf(primary: Handle): Promise<Mark> {
  const at = performance.now();
  const [row] = await query<Row>(primary, PRIMARY, []);
  return { at, ...positionOf(row) };
}

/** Asks a server how new it is. Statements that begin later on the same connection see what it has replayed. */
export async function freshnessOf(handle: Handle, marks: readonly Mark[]): Promise<Freshness> {
  const [row] = await query<Row & { readonly isStandby: boolean }>(handle, STANDBY, []);
  const position = positionOf(row);
  const isOther = row?.isStandby !== true || marks.some(({ system }) => system !== position.system);
  return isOther ? { is: 'other' } : compare(position, marks);
}

/** @param marks by their time */
function compare({ timeline, lsn }: Position, marks: readonly Mark[]): Freshness {
  const isPassed = (mark: Mark): boolean => mark.timeline === timeline && mark.lsn <= lsn;
  return {
    is: 'standby',
    asOf: marks.findLast(isPassed)?.at ?? Number.NEGATIVE_INFINITY,
    behindSince: marks.find((mark) => !isPassed(mark))?.at ?? null,
  };
}

function positionOf(row: Row | undefined): Position {
  return { system: row?.system ?? '', timeline: row?.timeline ?? 0, lsn: BigInt(row?.lsn ?? 0) };
}
