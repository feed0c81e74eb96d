import type { Client } from 'pg';
import type { Check, Finding } from './finding.ts';

const oldest = 15;
const newest = 18;

type ServerRow = { major: number; version: string; zone: string; role: string };

/** Whether the server is one that the project supports, and how it is set. */
export async function checkServer(client: Client): Promise<Check> {
  const { rows } = await client.query<ServerRow>(`
    SELECT current_setting('server_version_num')::int / 10000 AS major,
           split_part(current_setting('server_version'), ' ', 1) AS version,
           current_setting('TimeZone') AS zone, current_setting('session_replication_role') AS role`);
  const [row] = rows;
  return {
    name: 'server',
    summary: `PostgreSQL ${row?.version ?? ''}, time zone ${row?.zone ?? ''}`,
    findings: row === undefined ? [] : [...versionFindings(row), ...settingFindings(row)],
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

function settingFindings({ zone, role }: ServerRow): Finding[] {
  const findings: Finding[] = [];
  if (!/^(?:Etc\/)?(?:UTC|UCT|GMT|Zulu|Universal)$/i.test(zone)) {
    findings.push({
      severity: 'notice',
      what: `the session's time zone is ${zone}, not UTC`,
      remedy: 'Nothing to do: all times are kept in UTC, and what you see in psql of now() is local time.',
    });
  }
  if (role !== 'origin') {
    findings.push({
      severity: 'wrong',
      what: `session_replication_role is ${role}: no trigger guards the tables, and no foreign key is checked`,
      remedy: 'ALTER ROLE ... RESET session_replication_role, or ALTER DATABASE ... RESET it.',
    });
  }
  return findings;
}
