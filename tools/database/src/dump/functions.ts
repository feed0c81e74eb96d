import type { CatalogObject, Reader } from './dump-object.ts';
import { IS_USER_SCHEMA, standsAlone } from './catalog.ts';

// A row type is there once its table is: a function with one among its arguments or as its result comes after it.
// Argument types are part of the name only where several functions share it.
const FUNCTIONS = `
  SELECT n.nspname AS schema, 'function' AS kind,
         format('%I.%I', n.nspname, p.proname)
         || CASE WHEN count(*) OVER (PARTITION BY n.nspname, p.proname) > 1
                 THEN format('(%s)', oidvectortypes(p.proargtypes)) ELSE '' END AS name,
         rtrim(pg_get_functiondef(p.oid), E'\\n') || ';' AS sql,
         (SELECT max(CASE WHEN c.relkind IN ('r', 'p') THEN 'table' ELSE 'view' END)
            FROM pg_depend d
            JOIN pg_type t ON t.oid = d.refobjid
            LEFT JOIN pg_type e ON e.oid = t.typelem
            JOIN pg_class c ON c.oid IN (t.typrelid, e.typrelid) AND c.relkind IN ('r', 'p', 'v', 'm')
           WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_type'::regclass) AS after
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE p.prokind <> 'a' AND ${IS_USER_SCHEMA} AND ${standsAlone('pg_proc', 'p.oid')}`;

/** Functions, trigger functions and procedures. */
export const readFunctions: Reader = async (client) => (await client.query<CatalogObject>(FUNCTIONS)).rows;
