import type { CatalogObject, Reader } from './dump-object.ts';
import { IS_NOT_HISTORY, IS_USER_SCHEMA, standsAlone } from './catalog.ts';
import { INDEX_DEFINITION, INDEX_OPTIONS } from './options.ts';

// PostgreSQL 18 has a constraint for each NOT NULL (contype n); here it is part of its column, as before. What a
// partition inherits comes with its table.
const CONSTRAINTS = `
  SELECT n.nspname AS schema, CASE k.contype WHEN 'f' THEN 'foreign key' ELSE 'constraint' END AS kind,
         format('%I on %I.%I', k.conname, n.nspname, c.relname) AS name,
         format(E'ALTER TABLE %I.%I\\n    ADD CONSTRAINT %I %s;', n.nspname, c.relname, k.conname,
                pg_get_constraintdef(k.oid))
         || coalesce(E'\\nALTER INDEX ' || quote_ident(n.nspname) || '.' || quote_ident(i.relname)
                     || ' SET (' || ${INDEX_OPTIONS} || ');', '') AS sql
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_class i ON i.oid = k.conindid AND k.contype IN ('p', 'u', 'x')
   WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND k.conislocal AND k.conparentid = 0
     AND ${IS_USER_SCHEMA} AND ${IS_NOT_HISTORY} AND ${standsAlone('pg_class', 'c.oid')}`;

// The index of a constraint is made with it, and those of partitions with their parent's.
const INDEXES = `
  SELECT n.nspname AS schema, 'index' AS kind,
         format('%I on %I.%I', i.relname, n.nspname, c.relname) AS name,
         CASE i.relkind WHEN 'I' THEN replace(${INDEX_DEFINITION}, ' ON ONLY ', ' ON ')
                        ELSE ${INDEX_DEFINITION} END || ';' AS sql
    FROM pg_index x
    JOIN pg_class i ON i.oid = x.indexrelid AND NOT i.relispartition
    JOIN pg_class c ON c.oid = x.indrelid AND c.relkind IN ('r', 'p', 'm')
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE NOT EXISTS (
           SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x'))
     AND ${IS_USER_SCHEMA} AND ${IS_NOT_HISTORY} AND ${standsAlone('pg_class', 'c.oid')}`;

/** Primary keys, unique, check and exclusion constraints, and foreign keys. */
export const readConstraints: Reader = async (client) =>
  (await client.query<CatalogObject>(CONSTRAINTS)).rows;

/** Indexes that belong to no constraint. */
export const readIndexes: Reader = async (client) => (await client.query<CatalogObject>(INDEXES)).rows;
