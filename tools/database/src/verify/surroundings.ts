import type { Client } from 'pg';
import type { Check, Finding } from './finding.ts';

interface FindingRow {
  readonly what: string;
  readonly remedy: string;
  /** The object concerned, by its title in the dump, where it is one of this project's schemas. */
  readonly object?: string;
}

/** Everything in this project's schemas is compared with the dump; this looks at what acts on them from elsewhere. */
const isForeign = (schema: string): string => `${schema} <> ALL ($1) AND ${schema} !~ '^pg_(catalog|toast)'
  AND ${schema} <> 'information_schema'`;

const isOfNoExtension = (catalog: string, oid: string): string => `NOT EXISTS (
  SELECT FROM pg_depend x WHERE x.classid = '${catalog}'::regclass AND x.objid = ${oid} AND x.deptype = 'e')`;

/** Objects that PostgreSQL came with have smaller numbers. */
const FIRST_OF_USERS = 16384;

const QUERIES: readonly string[] = [
  `SELECT format('table %s inherits from %s: its rows count in every query of it', i.inhrelid::regclass,
                 i.inhparent::regclass) AS what,
          format('ALTER TABLE %s NO INHERIT %s; after its rows were looked at.', i.inhrelid::regclass,
                 i.inhparent::regclass) AS remedy
     FROM pg_inherits i
     JOIN pg_class c ON c.oid = i.inhrelid
     JOIN pg_namespace cn ON cn.oid = c.relnamespace
     JOIN pg_class p ON p.oid = i.inhparent
     JOIN pg_namespace pn ON pn.oid = p.relnamespace
    WHERE pn.nspname = ANY ($1) AND cn.nspname <> ALL ($1) AND c.relkind IN ('r', 'p', 'f')`,
  `SELECT format('event trigger %I runs %s on %s', e.evtname, e.evtfoid::regproc, e.evtevent) AS what,
          format('No migration makes one. DROP EVENT TRIGGER %I; unless you know that it leaves these schemas and '
                 'their sessions alone.', e.evtname) AS remedy
     FROM pg_event_trigger e
    WHERE e.evtenabled <> 'D' AND ${isOfNoExtension('pg_event_trigger', 'e.oid')}`,
  `SELECT format('function %s names a setting that opens the guards of the ledger', p.oid::regprocedure) AS what,
          format('DROP FUNCTION %s; money moves through the functions of schema core.', p.oid::regprocedure) AS remedy
     FROM pg_proc p
     JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE ${isForeign('n.nspname')} AND p.prokind IN ('f', 'p', 'w')
      AND (p.prosrc ~* 'daftari\\.' OR p.proconfig::text ~* 'daftari\\.')`,
  `SELECT format('function %s has the name of one of PostgreSQL''s own, and can be called in its place', p.oid::regprocedure)
            AS what,
          format('DROP FUNCTION %1$s; or give it another name (ALTER FUNCTION %1$s RENAME TO ...).', p.oid::regprocedure)
            AS remedy
     FROM pg_proc p
     JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = ANY (current_schemas(false)) AND ${isForeign('n.nspname')}
      AND EXISTS (SELECT FROM pg_proc o WHERE o.proname = p.proname AND o.pronamespace = 'pg_catalog'::regnamespace)
      AND ${isOfNoExtension('pg_proc', 'p.oid')}`,
  `SELECT format('operator %s is one of PostgreSQL''s own for other types, and can be taken in its place',
                 o.oid::regoperator) AS what,
          format('DROP OPERATOR %s; or move it out of the search path.', o.oid::regoperator) AS remedy
     FROM pg_operator o
     JOIN pg_namespace n ON n.oid = o.oprnamespace
    WHERE n.nspname = ANY (current_schemas(false)) AND ${isForeign('n.nspname')}
      AND EXISTS (SELECT FROM pg_operator b WHERE b.oprname = o.oprname AND b.oprnamespace = 'pg_catalog'::regnamespace)
      AND ${isOfNoExtension('pg_operator', 'o.oid')}`,
  `SELECT format('cast from %s to %s was made by hand, between types of PostgreSQL''s own', c.castsource::regtype,
                 c.casttarget::regtype) AS what,
          format('DROP CAST (%s AS %s);', c.castsource::regtype, c.casttarget::regtype) AS remedy
     FROM pg_cast c
    WHERE c.oid >= ${FIRST_OF_USERS} AND c.castsource < ${FIRST_OF_USERS} AND c.casttarget < ${FIRST_OF_USERS}
      AND ${isOfNoExtension('pg_cast', 'c.oid')}`,
  `SELECT format('a subscription writes into table %s past its guards', s.srrelid::regclass) AS what,
          'Take the table out of the publication it comes from, and refresh the subscription.' AS remedy
     FROM pg_subscription_rel s
     JOIN pg_class c ON c.oid = s.srrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY ($1)`,
  `SELECT format('trigger %I on %s belongs to no migration: its function %s is in another schema', t.tgname,
                 t.tgrelid::regclass, t.tgfoid::regproc) AS what,
          format('DROP TRIGGER %I ON %s;', t.tgname, t.tgrelid::regclass) AS remedy,
          format('trigger %I on %I.%I', t.tgname, n.nspname, c.relname) AS object
     FROM pg_trigger t
     JOIN pg_class c ON c.oid = t.tgrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_proc p ON p.oid = t.tgfoid
     JOIN pg_namespace pn ON pn.oid = p.pronamespace
    WHERE n.nspname = ANY ($1) AND t.tgisinternal IS FALSE AND ${isForeign('pn.nspname')}`,
];

/** What acts on the schemas of this project from outside them. */
export async function checkSurroundings(client: Client, schemas: readonly string[]): Promise<Check> {
  const findings: Finding[] = [];
  for (const query of QUERIES) {
    const text = query.includes('$1') ? query : `${query} AND $1::text[] IS NOT NULL`;
    const { rows } = await client.query<FindingRow>(`${text} ORDER BY 1`, [schemas]);
    for (const row of rows) findings.push({ severity: 'wrong', ...row });
  }
  const summary = 'no child table, event trigger, function, operator, cast or subscription from elsewhere';
  return { name: 'surroundings', summary, findings };
}
