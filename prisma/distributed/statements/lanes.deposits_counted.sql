-- The deposits of a short code that count in a period: from when they were paid, or from when they were posted if they came too
-- late for a closed period, which `closed` names (services.closed_mpesa_period).
--
-- The log of a payment lies in the lane of its transaction, so each lane joins its own. The periods go to the lanes.
CREATE OR REPLACE FUNCTION lanes.deposits_counted(p_short_code text, p_from timestamp, p_to timestamp)
RETURNS TABLE (id uuid, reference text, amount numeric, at timestamp, closed uuid)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    v_ids      uuid[];
    v_ends     timestamp[];
    v_closings timestamp[];
    v_near     integer; -- the first that a payment of the period itself can be late for
BEGIN
    SELECT array_agg(p.id ORDER BY p.to_at), array_agg(p.to_at ORDER BY p.to_at), array_agg(p.closed_at ORDER BY p.to_at),
           1 + count(*) FILTER (WHERE p.to_at <= p_from)
      INTO v_ids, v_ends, v_closings, v_near
      FROM lanes.periods_of(p_short_code) p;
    FOR v_lane IN 0 .. 15 LOOP
        RETURN QUERY
        SELECT d.id, d.reference, d.amount, d.at, d.closed
          FROM (
            SELECT x.id, x.reference, x.amount, x.closed,
                   CASE WHEN x.closed IS NULL THEN x.happened_at ELSE x.created_at END AS at
              FROM (
                SELECT t.id, t.reference::text AS reference, t.amount::numeric AS amount, t.created_at::timestamp AS created_at,
                       coalesce(g.paid_at, g.created_at)::timestamp AS happened_at,
                       CASE WHEN coalesce(g.paid_at, g.created_at) >= p_from THEN (
                           SELECT p.id
                             FROM unnest(v_ids[v_near:], v_ends[v_near:], v_closings[v_near:]) AS p (id, to_at, closed_at)
                            WHERE p.to_at > coalesce(g.paid_at, g.created_at) AND p.closed_at <= t.created_at
                            ORDER BY p.to_at
                            LIMIT 1
                       ) ELSE (
                           SELECT p.id
                             FROM unnest(v_ids, v_ends, v_closings) AS p (id, to_at, closed_at)
                            WHERE p.to_at > coalesce(g.paid_at, g.created_at) AND p.closed_at <= t.created_at
                            ORDER BY p.to_at
                            LIMIT 1
                       ) END AS closed
                  FROM services.mpesa_logs g
                  JOIN core.transactions t ON t.lane = g.lane AND t.reference = g.mpesa_receipt AND t.type = 'DEPOSIT'
                 -- Nobody reports a payment long before it was made, so the index of the log says where to begin.
                 WHERE g.lane = v_lane AND t.lane = v_lane
                   AND g.short_code = p_short_code AND g.created_at >= p_from - interval '1 day'
                   AND (
                       coalesce(g.paid_at, g.created_at) >= p_from AND coalesce(g.paid_at, g.created_at) < p_to
                       OR t.created_at >= p_from AND t.created_at < p_to
                   )
              ) x
          ) d
         WHERE d.at >= p_from AND d.at < p_to;
    END LOOP;
END
$$;
