import type { CatalogObject, Reader } from './dump-object.ts';
import { IS_USER_SCHEMA, standsAlone } from './catalog.ts';

const ENUMS = `
  SELECT n.nspname AS schema, 'type' AS kind, format('%I.%I', n.nspname, t.typname) AS name,
         format(E'CREATE TYPE %I.%I AS ENUM (\\n    %s\\n);', n.nspname, t.typname,
           (SELECT string_agg(quote_literal(e.enumlabel), E',\\n    ' ORDER BY e.enumsortorder)
              FROM pg_enum e WHERE e.enumtypid = t.oid)) AS sql
    FROM pg_type t
    JOIN pg_namespace n ON n.oid = t.typnamespace
   WHERE t.typtype = 'e' AND ${IS_USER_SCHEMA} AND ${standsAlone('pg_type', 't.oid')}`;

const COMPOSITES = `
  SELECT n.nspname AS schema, 'type' AS kind, format('%I.%I', n.nspname, t.typname) AS name,
         format(E'CREATE TYPE %I.%I AS (\\n    %s\\n);', n.nspname, t.typname,
           (SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), E',\\n    '
                              ORDER BY a.attnum)
              FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)) AS sql
    FROM pg_type t
    JOIN pg_namespace n ON n.oid = t.typnamespace
    JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
   WHERE ${IS_USER_SCHEMA} AND ${standsAlone('pg_type', 't.oid')}`;

// NOT NULL comes from the column: PostgreSQL 17 and later have a constraint for it as well.
const DOMAINS = `
  SELECT n.nspname AS schema, 'domain' AS kind, format('%I.%I', n.nspname, t.typname) AS name,
         format('CREATE DOMAIN %I.%I AS %s', n.nspname, t.typname, format_type(t.typbasetype, t.typtypmod))
         || coalesce(' DEFAULT ' || t.typdefault, '')
         || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END
         || coalesce((SELECT string_agg(format(E'\\n    CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), ''
                                        ORDER BY k.conname COLLATE "C")
                        FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'), '')
         || ';' AS sql
    FROM pg_type t
    JOIN pg_namespace n ON n.oid = t.typnamespace
   WHERE t.typtype = 'd' AND ${IS_USER_SCHEMA} AND ${standsAlone('pg_type', 't.oid')}`;

/** Enumerated and composite types, and domains with their checks. */
export const readTypes: Reader = async (client) => {
  const enums = await client.query<CatalogObject>(ENUMS);
  const composites = await client.query<CatalogObject>(COMPOSITES);
  const domains = await client.query<CatalogObject>(DOMAINS);
  return [...enums.rows, ...composites.rows, ...domains.rows];
};
