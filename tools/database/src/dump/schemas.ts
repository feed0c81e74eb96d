import type { CatalogObject, Reader } from './dump-object.ts';
import { IS_USER_SCHEMA, standsAlone } from './catalog.ts';

// Without the version: which one a server has to offer is not the migrations' choice.
const EXTENSIONS = `
  SELECT n.nspname AS schema, 'extension' AS kind, e.extname AS name,
         format('CREATE EXTENSION %I SCHEMA %I;', e.extname, n.nspname) AS sql
    FROM pg_extension e
    JOIN pg_namespace n ON n.oid = e.extnamespace
   WHERE e.extname <> 'plpgsql'`;

const SCHEMAS = `
  SELECT n.nspname AS schema, 'schema' AS kind, quote_ident(n.nspname) AS name,
         format('CREATE SCHEMA %I;', n.nspname) AS sql
    FROM pg_namespace n
   WHERE ${IS_USER_SCHEMA} AND n.nspname <> 'public' AND ${standsAlone('pg_namespace', 'n.oid')}`;

/** Installed extensions. */
export const readExtensions: Reader = async (client) => (await client.query<CatalogObject>(EXTENSIONS)).rows;

/** Schemas. `public` is not among them: every database has it. */
export const readSchemas: Reader = async (client) => (await client.query<CatalogObject>(SCHEMAS)).rows;
