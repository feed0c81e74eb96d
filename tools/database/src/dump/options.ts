// A server keeps more in its option columns than people have set: newer minor versions put notes of their own there
// (`pg_attver` in pg_attribute.attoptions). Only the options that PostgreSQL documents for people are part of a dump.

/** What carries options. Those of an index method that an extension brings are documented there, and all count. */
type Carrier = 'column' | 'table' | 'toast' | 'view' | 'index';

const AUTOVACUUM = [
  'enabled',
  'vacuum_threshold',
  'vacuum_max_threshold',
  'vacuum_scale_factor',
  'vacuum_insert_threshold',
  'vacuum_insert_scale_factor',
  'analyze_threshold',
  'analyze_scale_factor',
  'vacuum_cost_delay',
  'vacuum_cost_limit',
  'freeze_min_age',
  'freeze_max_age',
  'freeze_table_age',
  'multixact_freeze_min_age',
  'multixact_freeze_max_age',
  'multixact_freeze_table_age',
].map((name) => `autovacuum_${name}`);

const VACUUM = [
  'log_autovacuum_min_duration',
  'vacuum_index_cleanup',
  'vacuum_truncate',
  'vacuum_max_eager_freeze_failure_rate',
  ...AUTOVACUUM,
];

const DOCUMENTED: Record<Carrier, readonly string[]> = {
  column: ['n_distinct', 'n_distinct_inherited'],
  table: ['fillfactor', 'toast_tuple_target', 'parallel_workers', 'user_catalog_table', ...VACUUM],
  toast: VACUUM.map((name) => `toast.${name}`),
  view: ['check_option', 'security_barrier', 'security_invoker'],
  index: [
    'fillfactor',
    'deduplicate_items',
    'buffering',
    'fastupdate',
    'gin_pending_list_limit',
    'pages_per_range',
    'autosummarize',
  ],
};

const BUILT_IN_INDEX_METHODS = ['btree', 'hash', 'gist', 'spgist', 'gin', 'brin'];

/**
 * SQL for the documented ones of some options: `fillfactor=80, autovacuum_enabled=false`, NULL without any.
 *
 * @param options an expression of type text[], each element `name=value`
 */
export function documentedOptions(options: string, carrier: Carrier): string {
  return `(SELECT string_agg(u.option, ', ' ORDER BY u.place)
             FROM unnest(${options}) WITH ORDINALITY AS u (option, place)
            WHERE ${isDocumented(carrier)})`;
}

/** The same for an index; `i` is its pg_class. */
export const INDEX_OPTIONS = `(SELECT string_agg(u.option, ', ' ORDER BY u.place)
             FROM unnest(i.reloptions) WITH ORDINALITY AS u (option, place)
            WHERE ${isDocumentedOfIndex()})`;

/** SQL for the statement that makes an index, with its documented options; `i` is its pg_class. */
export const INDEX_DEFINITION = `coalesce(
         replace(pg_get_indexdef(i.oid), ${withClause('true')}, coalesce(${withClause(isDocumentedOfIndex())}, '')),
         pg_get_indexdef(i.oid))`;

// As pg_get_indexdef writes it: of what it wrote, this finds the clause with all options again.
function withClause(condition: string): string {
  return `(SELECT ' WITH (' || string_agg(
                    quote_ident(v.name) || '='
                    || CASE WHEN quote_ident(v.value) = v.value THEN v.value ELSE quote_literal(v.value) END,
                    ', ' ORDER BY u.place) || ')'
             FROM unnest(i.reloptions) WITH ORDINALITY AS u (option, place)
            CROSS JOIN LATERAL (
              SELECT split_part(u.option, '=', 1) AS name, substr(u.option, strpos(u.option, '=') + 1) AS value
            ) v
            WHERE ${condition})`;
}

function isDocumentedOfIndex(): string {
  return `(${isDocumented('index')} OR (SELECT m.amname FROM pg_am m WHERE m.oid = i.relam) <> ALL (${textArray(BUILT_IN_INDEX_METHODS)}))`;
}

function isDocumented(carrier: Carrier): string {
  return `split_part(u.option, '=', 1) = ANY (${textArray(DOCUMENTED[carrier])})`;
}

function textArray(names: readonly string[]): string {
  return `'{${names.join(',')}}'::text[]`;
}
