import type { Client } from 'pg';
import { IS_USER_SCHEMA } from '../dump/catalog.ts';
import type { Check, Finding } from './finding.ts';

interface StateRow {
  readonly object: string;
  readonly what: string;
  readonly remedy: string;
}

// CREATE INDEX CONCURRENTLY leaves an INVALID index behind when it fails. It costs every write and serves no query,
// and IF NOT EXISTS takes it for the real one.
const INDEXES = `
  SELECT format('index %I on %I.%I', i.relname, n.nspname, c.relname) AS object, 'is INVALID' AS what,
         format('REINDEX INDEX CONCURRENTLY %I.%I;', n.nspname, i.relname) AS remedy
    FROM pg_index x
    JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_class c ON c.oid = x.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE NOT (x.indisvalid AND x.indisready AND x.indislive) AND ${IS_USER_SCHEMA}`;

// NOT ENFORCED is new in version 18; older catalogs have no such column.
const CONSTRAINTS = `
  SELECT format('%s %I on %I.%I', CASE k.contype WHEN 'f' THEN 'foreign key' ELSE 'constraint' END,
                k.conname, n.nspname, c.relname) AS object,
         CASE WHEN to_jsonb(k) ->> 'conenforced' = 'false' THEN 'is NOT ENFORCED' ELSE 'is NOT VALID' END AS what,
         CASE WHEN to_jsonb(k) ->> 'conenforced' = 'false'
              THEN format('ALTER TABLE %I.%I ALTER CONSTRAINT %I ENFORCED;', n.nspname, c.relname, k.conname)
              ELSE format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I;', n.nspname, c.relname, k.conname)
         END AS remedy
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE NOT k.convalidated AND ${IS_USER_SCHEMA}`;

// The triggers behind a foreign key have no name that anybody knows.
const TRIGGERS = `
  SELECT DISTINCT
         CASE WHEN t.tgisinternal THEN format('foreign key %I on %I.%I', k.conname, kn.nspname, kc.relname)
              ELSE format('trigger %I on %I.%I', t.tgname, n.nspname, c.relname) END AS object,
         CASE WHEN t.tgisinternal THEN 'is not checked: its triggers are disabled'
              ELSE 'is DISABLED' END AS what,
         CASE WHEN t.tgisinternal THEN format('ALTER TABLE %I.%I ENABLE TRIGGER ALL;', n.nspname, c.relname)
              ELSE format('ALTER TABLE %I.%I ENABLE TRIGGER %I;', n.nspname, c.relname, t.tgname) END AS remedy
    FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_constraint k ON k.oid = t.tgconstraint
    LEFT JOIN pg_class kc ON kc.oid = k.conrelid
    LEFT JOIN pg_namespace kn ON kn.oid = kc.relnamespace
   WHERE t.tgenabled IN ('D', 'R') AND ${IS_USER_SCHEMA}`;

/** Objects that are there, as they should be, and do not do their work. */
export async function checkState(client: Client): Promise<Check> {
  await client.query('BEGIN READ ONLY');
  const findings: Finding[] = [];
  try {
    for (const query of [INDEXES, CONSTRAINTS, TRIGGERS]) {
      const { rows } = await client.query<StateRow>(query);
      for (const { object, what, remedy } of rows) {
        findings.push({ severity: 'wrong', what: `${object} ${what}`, remedy, object });
      }
    }
  } finally {
    await client.query('ROLLBACK');
  }
  const summary = 'every index valid, every constraint and trigger at work';
  return { name: 'state', summary, findings };
}
