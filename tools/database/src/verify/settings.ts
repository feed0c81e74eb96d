import type { Client } from 'pg';
import type { Check, Finding } from './finding.ts';

interface Setting {
  readonly name: string;
  readonly value: string;
  /** `database x`, `role y`, `role y in database x`, `all roles`; or where else the session has it from. */
  readonly place: string;
  /** What undoes it, if one statement does. */
  readonly reset: string | null;
}

/** A setting with which our functions, or a commit, mean something else. */
interface Rule {
  readonly isSound: (value: string) => boolean;
  readonly consequence: string;
}

const isOff = (value: string): boolean => ['off', 'false', 'no', '0'].includes(value.toLowerCase());
const isOn = (value: string): boolean => !isOff(value);

const RULES: Readonly<Record<string, Rule>> = {
  session_replication_role: {
    isSound: (value) => value === 'origin',
    consequence: 'no trigger guards the tables, and no foreign key is checked',
  },
  synchronous_commit: {
    isSound: (value) => value === 'on' || value === 'remote_apply',
    consequence: 'a crash can lose payments that were acknowledged, and the services refuse it',
  },
  fsync: { isSound: isOn, consequence: 'a loss of power destroys the database, and the services refuse it' },
  full_page_writes: {
    isSound: isOn,
    consequence: 'a loss of power can destroy the database, and the services refuse it',
  },
  default_transaction_isolation: {
    isSound: (value) => value === 'read committed',
    consequence: 'the functions of the ledger see old balances and fail where they should wait',
  },
  default_transaction_read_only: { isSound: isOff, consequence: 'nothing can be recorded' },
  search_path: {
    isSound: (value) => !/(?:^|,)\s*"?pg_catalog"?/.test(value.replace(/^\s*"?pg_catalog"?/, '')),
    consequence: "objects of other schemas stand before PostgreSQL's own in the functions of the ledger",
  },
  array_nulls: { isSound: isOn, consequence: 'what is absent in a batch becomes the word NULL' },
  transform_null_equals: { isSound: isOff, consequence: 'comparisons with NULL mean something else' },
  standard_conforming_strings: { isSound: isOn, consequence: 'backslashes in texts mean something else' },
  DateStyle: {
    isSound: (value) => /^\s*iso/i.test(value),
    consequence: 'times are written in a form that the services cannot read',
  },
  'plpgsql.variable_conflict': {
    isSound: (value) => value === 'error',
    consequence: 'names in the functions of the ledger mean something else',
  },
};

// Settings of ours are the key of the door: no session may be born with it in hand.
const OWN = /^daftari\./i;

const STORED = `
  SELECT split_part(c.entry, '=', 1) AS name, substr(c.entry, strpos(c.entry, '=') + 1) AS value,
         concat_ws(' in ', CASE WHEN r.rolname IS NOT NULL THEN 'role ' || quote_ident(r.rolname) END,
                   CASE WHEN d.datname IS NOT NULL THEN 'database ' || quote_ident(d.datname) END) AS place,
         format('ALTER %s RESET %s;',
                CASE WHEN s.setrole = 0 AND s.setdatabase = 0 THEN 'ROLE ALL'
                     WHEN s.setrole = 0 THEN 'DATABASE ' || quote_ident(d.datname)
                     WHEN s.setdatabase = 0 THEN 'ROLE ' || quote_ident(r.rolname)
                     ELSE concat('ROLE ', quote_ident(r.rolname), ' IN DATABASE ', quote_ident(d.datname)) END,
                split_part(c.entry, '=', 1)) AS reset
    FROM pg_db_role_setting s
   CROSS JOIN LATERAL unnest(s.setconfig) AS c (entry)
    LEFT JOIN pg_database d ON d.oid = s.setdatabase
    LEFT JOIN pg_roles r ON r.oid = s.setrole
   WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))`;

// A server for tests, which says that it may be thrown away, may lose its files.
const IS_DISPOSABLE = `coalesce(current_setting('daftari.disposable', true), '') = 'on'`;

// What the server's own files or the connection string say; the rest is in the other list.
const OF_SESSION = `
  SELECT name, setting AS value, source AS place, NULL AS reset
    FROM pg_settings
   WHERE name = ANY ($1) AND source NOT IN ('database', 'user', 'database user', 'override')
     AND NOT (name IN ('fsync', 'full_page_writes') AND ${IS_DISPOSABLE})`;

// Such settings are in no catalog unless their name is known, and our functions know it.
const OWN_OF_SESSION = `
  SELECT k.name, current_setting(k.name, true) AS value, 'the session' AS place, NULL AS reset
    FROM (
      SELECT DISTINCT m[1] AS name
        FROM pg_proc p
       CROSS JOIN LATERAL regexp_matches(p.prosrc, 'daftari\\.[a-z_]+', 'g') AS m
    ) k
   WHERE current_setting(k.name, true) <> ''`;

/** Settings of the database, its roles and the server that change what the ledger does. */
export async function checkSettings(client: Client): Promise<Check> {
  const stored = await client.query<Setting>(STORED);
  const ofSession = await client.query<Setting>(OF_SESSION, [Object.keys(RULES)]);
  const own = await client.query<Setting>(OWN_OF_SESSION);
  const isStored = (name: string): boolean => stored.rows.some((setting) => setting.name === name);
  const settings = [...stored.rows, ...ofSession.rows, ...own.rows.filter(({ name }) => !isStored(name))];
  const summary = 'no setting of the database, its roles or the server changes what the ledger does';
  return { name: 'settings', summary, findings: settings.flatMap(findingsOf) };
}

function findingsOf({ name, value, place, reset }: Setting): Finding[] {
  const rule = RULES[name];
  const isOwn = OWN.test(name);
  if (!isOwn && (rule === undefined || rule.isSound(value))) return [];
  const consequence = isOwn ? 'the guards of the ledger can be open in every session' : rule?.consequence;
  return [
    {
      severity: 'wrong',
      what: `${name} is ${isOwn ? 'set' : value} for ${place === '' ? 'all roles' : place}: ${String(consequence)}`,
      remedy: reset ?? `Take it out of where it is set (${place}), and reload the server or reconnect.`,
    },
  ];
}
