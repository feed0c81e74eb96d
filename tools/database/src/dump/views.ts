import type { CatalogObject, Reader } from './dump-object.ts';
import { IS_USER_SCHEMA, standsAlone } from './catalog.ts';
import { documentedOptions } from './options.ts';
import { withoutNeedlessQualification } from './view-text.ts';

interface ViewRow extends CatalogObject {
  readonly definition: string;
}

const TABLE_OPTIONS = documentedOptions('c.reloptions', 'table');
const VIEW_OPTIONS = documentedOptions('c.reloptions', 'view');

const VIEWS = `
  SELECT n.nspname AS schema, CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END AS kind,
         format('%I.%I', n.nspname, c.relname) AS name,
         format('CREATE %s %I.%I%s AS', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END,
                n.nspname, c.relname, coalesce(' WITH (' || CASE c.relkind WHEN 'm' THEN ${TABLE_OPTIONS}
                                                                           ELSE ${VIEW_OPTIONS} END || ')', '')) AS sql,
         pg_get_viewdef(c.oid) AS definition
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't'
     AND ${IS_USER_SCHEMA} AND ${standsAlone('pg_class', 'c.oid')}`;

const LAST_VERSION_THAT_QUALIFIES = 15;

/** Views and materialized views, in the same words from every version. */
export const readViews: Reader = async (client) => {
  const version = await client.query<{ major: number }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS major`,
  );
  const qualifies = (version.rows[0]?.major ?? 0) <= LAST_VERSION_THAT_QUALIFIES;
  const { rows } = await client.query<ViewRow>(VIEWS);
  return rows.map(({ definition, sql, ...view }) => ({
    ...view,
    sql: `${sql}\n${qualifies ? withoutNeedlessQualification(definition) : definition}`,
  }));
};
