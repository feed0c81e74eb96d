import type { CatalogObject, Reader } from './dump-object.ts';
import { IS_USER_SCHEMA, standsAlone } from './catalog.ts';

// An identity column's sequence is part of its column. One that a serial column owns stands for itself.
const SEQUENCES = `
  SELECT n.nspname AS schema, 'sequence' AS kind, format('%I.%I', n.nspname, c.relname) AS name,
         format('CREATE SEQUENCE %I.%I AS %s START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s%s;',
           n.nspname, c.relname, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
           s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END) AS sql
    FROM pg_sequence s
    JOIN pg_class c ON c.oid = s.seqrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE ${IS_USER_SCHEMA} AND ${standsAlone('pg_class', 'c.oid')}`;

/** Sequences that stand for themselves. */
export const readSequences: Reader = async (client) => (await client.query<CatalogObject>(SEQUENCES)).rows;
