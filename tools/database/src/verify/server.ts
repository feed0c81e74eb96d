import type { Client } from 'pg';
import type { Check, Finding } from './finding.ts';

const oldest = 15;
const newest = 18;

type ServerRow = { major: number; version: string; zone: string };

/** Whether the server is one that the project supports, and how it is set. */
export async function checkServer(client: Client): Promise<Check> {
  const { rows } = await client.query<ServerRow>(`
    SELECT current_setting('server_version_num')::int / 10000 AS major,
           split_part(current_setting('server_version'), ' ', 1) AS version,
           current_setting('TimeZone') AS zone`);
  const [row] = rows;
  return {
    name: 'server',
    summary: `PostgreSQL ${row?.version ?? ''}, time zone ${row?.zone ?? ''}`,
    findings: row === undefined ? [] : [...versionFindings(row), ...zoneFindings(row)],
  };
}

function versionFindings({ major, version }: ServerRow): Finding[] {
  if (major < oldest) {
    return [
      {
        severity: 'wrong',
        what: `PostgreSQL ${version} is older than ${oldest}`,
        remedy: `Move to a server of version ${oldest} to ${newest}.`,
      },
    ];
  }
  if (major <= newest) return [];
  return [
    {
      severity: 'notice',
      what: `PostgreSQL ${version} is newer than ${newest}, the last version that was tried`,
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
