import type { CatalogObject, Reader } from './dump-object.ts';
import { isUserSchema, standsAlone } from './catalog.ts';

// Argument types are part of the name only where several functions share it.
const FUNCTIONS = `
  SELECT n.nspname AS schema, 'function' AS kind,
         format('%I.%I', n.nspname, p.proname)
         || CASE WHEN count(*) OVER (PARTITION BY n.nspname, p.proname) > 1
                 THEN format('(%s)', oidvectortypes(p.proargtypes)) ELSE '' END AS name,
         rtrim(pg_get_functiondef(p.oid), E'\\n') || ';' AS sql
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE p.prokind <> 'a' AND ${isUserSchema} AND ${standsAlone('pg_proc', 'p.oid')}`;

/** Functions, trigger functions and procedures. */
export const readFunctions: Reader = async (client) => (await client.query<CatalogObject>(FUNCTIONS)).rows;
