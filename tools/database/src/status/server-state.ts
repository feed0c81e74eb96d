import type { Client } from 'pg';

/** What the server is, and what it would lose. */
export interface ServerState {
  readonly isStandby: boolean;
  /** On a standby: when what it applied last was committed, by the clock of its primary. */
  readonly appliedAt: Date | null;
  /** Settings with which acknowledged payments are lost with the power, as `fsync off`. */
  readonly lowered: readonly string[];
}

interface Row {
  readonly isStandby: boolean;
  readonly appliedAt: Date | null;
  readonly lowered: string[];
}

const STATE = `
  SELECT pg_is_in_recovery() AS "isStandby", pg_last_xact_replay_timestamp() AS "appliedAt",
         array(SELECT s.name || ' ' || s.setting
                 FROM pg_settings s
                WHERE s.name IN ('fsync', 'full_page_writes') AND s.setting = 'off'
                   OR s.name = 'synchronous_commit' AND s.setting NOT IN ('on', 'remote_apply')
                ORDER BY s.name) AS lowered`;

export async function readServerState(client: Client): Promise<ServerState> {
  const { rows } = await client.query<Row>(STATE);
  const [row] = rows;
  return {
    isStandby: row?.isStandby ?? false,
    appliedAt: row?.appliedAt ?? null,
    lowered: row?.lowered ?? [],
  };
}

/** The state in a sentence or two. */
export function describeServer({ isStandby, appliedAt, lowered }: ServerState): string {
  const role = isStandby ? `A standby; ${describeAge(appliedAt)}.` : 'A primary.';
  if (lowered.length === 0) return role;
  return `${role} It would lose acknowledged payments with the power: ${lowered.join(', ')}.`;
}

function describeAge(appliedAt: Date | null): string {
  if (appliedAt === null) return 'it has applied nothing since it started';
  return `it shows what was committed until ${appliedAt.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
