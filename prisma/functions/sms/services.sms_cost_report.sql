-- What the messages cost that were queued from p_from (included) to p_to (not included), both in UTC.
--
-- p_by: day (in East Africa Time), status, network or template.
-- After: one row for each key and currency, and one for each currency alone (is_total). Messages without a cost are
--        counted in rows whose currency is NULL. A cost without a currency counts as XXX.
CREATE OR REPLACE FUNCTION services.sms_cost_report(p_from timestamp, p_to timestamp, p_by text)
RETURNS TABLE (
    is_total boolean, key text, currency text, messages bigint, parts bigint, expected_parts bigint, cost numeric
)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    SELECT grouping(m.key) = 1, m.key, m.currency, count(*), coalesce(sum(m.parts), 0),
           coalesce(sum(m.expected_parts), 0), coalesce(sum(m.cost), 0)::numeric(19,4)
      FROM (
        SELECT CASE p_by
                   WHEN 'day' THEN services.eat_day(l.created_at)::text
                   WHEN 'status' THEN l.status
                   WHEN 'network' THEN coalesce(l.network, 'unknown')
                   WHEN 'template' THEN l.template
               END AS key,
               CASE WHEN l.cost IS NOT NULL THEN coalesce(l.currency::text, 'XXX') END AS currency,
               l.parts, l.expected_parts, l.cost
          FROM services.sms_logs l
         WHERE l.created_at >= p_from AND l.created_at < p_to
      ) m
     GROUP BY GROUPING SETS ((m.key, m.currency), (m.currency))
$$;
