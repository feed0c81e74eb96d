import type { CatalogObject, Reader } from './dump-object.ts';
import { IS_USER_SCHEMA, standsAlone } from './catalog.ts';

// pg_identify_object_as_address names the schema first, also for columns, constraints and triggers.
const COMMENTS = `
  SELECT o.path[1] AS schema, 'comment' AS kind, format('on %s %s', i.type, i.identity) AS name,
         format('COMMENT ON %s %s IS %L;', upper(regexp_replace(i.type, '^(table|view|materialized view|foreign table) (?=column|constraint)', '')),
                i.identity, d.description) AS sql
    FROM pg_description d
   CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) AS i
   CROSS JOIN LATERAL (
     SELECT a.object_names AS path FROM pg_identify_object_as_address(d.classoid, d.objoid, d.objsubid) AS a
   ) o
    JOIN pg_namespace n ON n.nspname = o.path[1]
   WHERE ${IS_USER_SCHEMA}
     AND NOT (i.type = 'schema' AND n.nspname = 'public')
     AND i.type NOT IN ('extension', 'cast', 'language', 'access method')`;

// Objects that no other reader knows are at least named, so that no addition goes unseen.
const OTHERS = `
  SELECT n.nspname AS schema, i.type AS kind, i.identity AS name,
         format('-- %s %s is there; its definition is not shown.', i.type, i.identity) AS sql
    FROM pg_depend d
    JOIN pg_namespace n ON n.oid = d.refobjid
   CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
   WHERE d.refclassid = 'pg_namespace'::regclass AND d.deptype = 'n' AND ${IS_USER_SCHEMA}
     AND d.classid NOT IN ('pg_type'::regclass, 'pg_class'::regclass, 'pg_proc'::regclass, 'pg_extension'::regclass,
                           'pg_constraint'::regclass)
     AND NOT EXISTS (
       SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype IN ('e', 'i'))
  UNION ALL
  SELECT n.nspname, i.type, i.identity, format('-- %s %s is there; its definition is not shown.', i.type, i.identity)
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
   CROSS JOIN LATERAL pg_identify_object('pg_class'::regclass, c.oid, 0) AS i
   WHERE c.relkind = 'f' AND ${IS_USER_SCHEMA}
  UNION ALL
  SELECT n.nspname, i.type, i.identity, format('-- %s %s is there; its definition is not shown.', i.type, i.identity)
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
   CROSS JOIN LATERAL pg_identify_object('pg_proc'::regclass, p.oid, 0) AS i
   WHERE p.prokind = 'a' AND ${IS_USER_SCHEMA}
     AND ${standsAlone('pg_proc', 'p.oid')}
  UNION ALL
  SELECT n.nspname, 'range type', format('%I.%I', n.nspname, t.typname),
         format('-- range type %I.%I is there; its definition is not shown.', n.nspname, t.typname)
    FROM pg_type t
    JOIN pg_namespace n ON n.oid = t.typnamespace
   WHERE t.typtype = 'r' AND ${IS_USER_SCHEMA}
     AND ${standsAlone('pg_type', 't.oid')}`;

/** Comments on anything in the schemas. */
export const readComments: Reader = async (client) => (await client.query<CatalogObject>(COMMENTS)).rows;

/** Aggregates, operators, statistics objects, foreign tables and whatever else can be in a schema. */
export const readOthers: Reader = async (client) => (await client.query<CatalogObject>(OTHERS)).rows;
