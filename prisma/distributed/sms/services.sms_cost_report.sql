-- services.sms_cost_report of a distributed database: each node adds up its messages, and the node that was asked their sums.
CREATE OR REPLACE FUNCTION services.sms_cost_report(p_from timestamp, p_to timestamp, p_by text)
RETURNS TABLE (
    is_total boolean, key text, currency text, messages bigint, parts bigint, expected_parts bigint, cost numeric
)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v record;
BEGIN
    SELECT array_agg(m.key) AS keys, array_agg(m.currency) AS currencies, array_agg(m.messages) AS messages,
           array_agg(m.parts) AS parts, array_agg(m.expected_parts) AS expected_parts, array_agg(m.cost) AS costs
      INTO v
      FROM (
        SELECT CASE p_by
                   WHEN 'day' THEN services.eat_day(l.created_at)::text
                   WHEN 'status' THEN l.status
                   WHEN 'network' THEN coalesce(l.network, 'unknown')
                   WHEN 'template' THEN l.template
               END AS key,
               CASE WHEN l.cost IS NOT NULL THEN coalesce(l.currency::text, 'XXX') END AS currency,
               count(*) AS messages, sum(l.parts) AS parts, sum(l.expected_parts) AS expected_parts, sum(l.cost) AS cost
          FROM services.sms_logs l
         WHERE l.created_at >= p_from AND l.created_at < p_to
         GROUP BY 1, 2
      ) m;
    RETURN QUERY
    SELECT grouping(m.key) = 1, m.key, m.currency, sum(m.messages)::bigint, coalesce(sum(m.parts), 0)::bigint,
           coalesce(sum(m.expected_parts), 0)::bigint, coalesce(sum(m.cost), 0)::numeric(19,4)
      FROM unnest(v.keys, v.currencies, v.messages, v.parts, v.expected_parts, v.costs)
        AS m (key, currency, messages, parts, expected_parts, cost)
     GROUP BY GROUPING SETS ((m.key, m.currency), (m.currency));
END
$$;
