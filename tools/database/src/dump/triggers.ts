import type { CatalogObject, Reader } from './dump-object.ts';
import { IS_NOT_HISTORY, IS_USER_SCHEMA, standsAlone } from './catalog.ts';

// Whether it fires is as important as that it is there: O, on the origin, is the default.
const TRIGGERS = `
  SELECT n.nspname AS schema, 'trigger' AS kind, format('%I on %I.%I', t.tgname, n.nspname, c.relname) AS name,
         pg_get_triggerdef(t.oid) || ';'
         || CASE t.tgenabled
              WHEN 'D' THEN format(E'\\nALTER TABLE %I.%I DISABLE TRIGGER %I;', n.nspname, c.relname, t.tgname)
              WHEN 'R' THEN format(E'\\nALTER TABLE %I.%I ENABLE REPLICA TRIGGER %I;', n.nspname, c.relname, t.tgname)
              WHEN 'A' THEN format(E'\\nALTER TABLE %I.%I ENABLE ALWAYS TRIGGER %I;', n.nspname, c.relname, t.tgname)
              ELSE ''
            END AS sql
    FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE NOT t.tgisinternal AND t.tgparentid = 0
     AND ${IS_USER_SCHEMA} AND ${IS_NOT_HISTORY} AND ${standsAlone('pg_class', 'c.oid')}`;

const RULES = `
  SELECT n.nspname AS schema, 'rule' AS kind, format('%I on %I.%I', r.rulename, n.nspname, c.relname) AS name,
         pg_get_ruledef(r.oid)
         || CASE r.ev_enabled
              WHEN 'D' THEN format(E'\\nALTER TABLE %I.%I DISABLE RULE %I;', n.nspname, c.relname, r.rulename)
              ELSE ''
            END AS sql
    FROM pg_rewrite r
    JOIN pg_class c ON c.oid = r.ev_class
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE r.rulename <> '_RETURN' AND ${IS_USER_SCHEMA} AND ${standsAlone('pg_class', 'c.oid')}`;

const POLICIES = `
  SELECT n.nspname AS schema, 'policy' AS kind, format('%I on %I.%I', p.polname, n.nspname, c.relname) AS name,
         format('CREATE POLICY %I ON %I.%I AS %s FOR %s TO %s', p.polname, n.nspname, c.relname,
           CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
           CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
                ELSE 'ALL' END,
           (SELECT string_agg(CASE WHEN o = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(o)) END, ', '
                              ORDER BY pg_get_userbyid(o))
              FROM unnest(p.polroles) AS o))
         || coalesce(E'\\n    USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
         || coalesce(E'\\n    WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
         || ';' AS sql
    FROM pg_policy p
    JOIN pg_class c ON c.oid = p.polrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE ${IS_USER_SCHEMA} AND ${standsAlone('pg_class', 'c.oid')}`;

/** Triggers, rewrite rules and row policies: what makes a table behave as it does. */
export const readTriggers: Reader = async (client) => {
  const triggers = await client.query<CatalogObject>(TRIGGERS);
  const rules = await client.query<CatalogObject>(RULES);
  const policies = await client.query<CatalogObject>(POLICIES);
  return [...triggers.rows, ...rules.rows, ...policies.rows];
};
