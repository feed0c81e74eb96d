import type { Client } from 'pg';
import type { Check, Finding } from './finding.ts';

const OLDEST = 15;
const NEWEST = 18;

interface ServerRow {
  readonly major: number;
  readonly version: string;
  readonly zone: string;
  readonly isStandby: boolean;
  readonly isDisposable: boolean;
}

/** Whether the server is one that the project supports, and how it is set. */
export async function checkServer(client: Client): Promise<Check> {
  const { rows } = await client.query<ServerRow>(`
    SELECT current_setting('server_version_num')::int / 10000 AS major,
           split_part(current_setting('server_version'), ' ', 1) AS version,
           current_setting('TimeZone') AS zone,
           pg_is_in_recovery() AS "isStandby",
           coalesce(current_setting('daftari.disposable', true), '') = 'on' AS "isDisposable"`);
  const [row] = rows;
  return {
    name: 'server',
    summary: row === undefined ? '' : summaryOf(row),
    findings: row === undefined ? [] : [...versionFindings(row), ...zoneFindings(row), ...roleFindings(row)],
  };
}

function summaryOf({ version, zone, isDisposable }: ServerRow): string {
  return `PostgreSQL ${version}, time zone ${zone}${isDisposable ? ', to be thrown away (daftari.disposable)' : ''}`;
}

function roleFindings({ isStandby }: ServerRow): Finding[] {
  if (!isStandby) return [];
  return [
    {
      severity: 'notice',
      what: 'the server is a standby: the services refuse it for money',
      remedy: 'Name the primary in DATABASE_URL, or all servers with target_session_attrs=read-write.',
    },
  ];
}

function versionFindings({ major, version }: ServerRow): Finding[] {
  if (major < OLDEST) {
    return [
      {
        severity: 'wrong',
        what: `PostgreSQL ${version} is older than ${OLDEST}`,
        remedy: `Move to a server of version ${OLDEST} to ${NEWEST}.`,
      },
    ];
  }
  if (major <= NEWEST) return [];
  return [
    {
      severity: 'notice',
      what: `PostgreSQL ${version} is newer than ${NEWEST}, the last version that was tried`,
      remedy: 'Run the tests on it (TEST_DATABASE_URL) before you rely on it.',
    },
  ];
}

function zoneFindings({ zone }: ServerRow): Finding[] {
  if (/^(?:Etc\/)?(?:UTC|UCT|GMT|Zulu|Universal)$/i.test(zone)) return [];
  return [
    {
      severity: 'notice',
      what: `the session's time zone is ${zone}, not UTC`,
      remedy: 'Nothing to do: all times are kept in UTC, and what you see in psql of now() is local time.',
    },
  ];
}
