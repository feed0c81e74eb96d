/** Parts of catalog queries that several of them share. */

/** A schema that is not PostgreSQL's own; `n` is pg_namespace. */
export const IS_USER_SCHEMA = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

/** Prisma's own bookkeeping is not part of what migrations make; `c` is pg_class. */
export const IS_NOT_HISTORY = `c.relname NOT IN ('_prisma_migrations', '_prisma_migrations_pkey')`;

/** Neither a part of an extension nor of another object, which bring it by themselves. */
export function standsAlone(catalog: string, oid: string): string {
  return `NOT EXISTS (
    SELECT FROM pg_depend e
     WHERE e.classid = '${catalog}'::regclass AND e.objid = ${oid} AND e.objsubid = 0 AND e.deptype IN ('e', 'i'))`;
}
