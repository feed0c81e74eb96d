-- Posts M-PESA's charges and what was settled to the bank, as its statements show them, each line once.
--
-- A charge moves between MPESA-FLOAT and CHARGES, a sweep between MPESA-FLOAT and BANK: what M-PESA no longer holds has been
-- paid to it, or is at the bank. Both wallets stand for the world outside and have no floor.
--
-- p_after_at, p_after_id: where the page before this one ended; p_limit: lines of a page.
-- After: each line of the page has its movement, and explains it. The movement's reference comes from the line's identity, so
--        that a call at the same moment finds it taken. posted: how many this call made. last_at, last_id: where the page
--        ends; NULL when it was the last one.
CREATE OR REPLACE FUNCTION services.post_mpesa_lines(
    p_short_code text, p_from timestamp, p_to timestamp, p_after_at timestamp, p_after_id uuid, p_limit integer,
    OUT posted integer, OUT last_at timestamp, OUT last_id uuid
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n            integer;
    v_ids        uuid[];
    v_times      timestamp[];
    v_references text[];
    v_types      text[];
    v_debits     text[];
    v_credits    text[];
    v_amounts    numeric[];
    v_narratives text[];
    v_outcomes   text[];
BEGIN
    SELECT count(*), array_agg(x.id), array_agg(x.completed_at), array_agg(x.reference), array_agg(x.type),
           array_agg(CASE WHEN x.withdrawn > 0 THEN x.other ELSE 'MPESA-FLOAT' END),
           array_agg(CASE WHEN x.withdrawn > 0 THEN 'MPESA-FLOAT' ELSE x.other END),
           array_agg(x.withdrawn + x.paid_in), array_agg(x.narrative)
      INTO n, v_ids, v_times, v_references, v_types, v_debits, v_credits, v_amounts, v_narratives
      FROM (
        SELECT l.id, l.completed_at, l.withdrawn, l.paid_in,
               CASE l.kind WHEN 'charge' THEN 'MC-' ELSE 'MS-' END || upper(replace(l.id::text, '-', '')) AS reference,
               CASE l.kind WHEN 'charge' THEN 'FEE' ELSE 'TRANSFER' END AS type,
               CASE l.kind WHEN 'charge' THEN 'CHARGES' ELSE 'BANK' END AS other,
               'M-PESA ' || l.kind || ' ' || l.receipt AS narrative
          FROM services.mpesa_statement_lines l
         WHERE l.short_code = p_short_code AND l.completed_at >= greatest(p_from, p_after_at) AND l.completed_at < p_to
           AND (p_after_at IS NULL OR (l.completed_at, l.id) > (p_after_at, p_after_id))
           AND l.kind IN ('charge', 'sweep') AND l.is_completed AND l.account_key = '' AND l.paid_in + l.withdrawn > 0
           AND NOT EXISTS (SELECT FROM services.mpesa_matches m WHERE m.line_id = l.id)
           -- A file without balances may show what another file shows with them: that is one charge, and two lines. They are
           -- found by the receipt: || keeps the planner, who knows nothing of the table right after an import, from reading
           -- all lines of the short code for each.
           AND NOT EXISTS (
               SELECT FROM services.mpesa_statement_lines o
                WHERE o.receipt = l.receipt AND o.short_code || '' = l.short_code AND o.account_key = '' AND o.kind = l.kind
                  AND o.is_completed AND o.paid_in = l.paid_in AND o.withdrawn = l.withdrawn
                  AND (o.balance IS NULL) <> (l.balance IS NULL)
                  AND (l.balance IS NULL OR EXISTS (SELECT FROM services.mpesa_matches m WHERE m.line_id = o.id))
           )
         ORDER BY l.completed_at, l.id
         LIMIT p_limit
      ) x;
    posted := 0;
    IF n = 0 THEN
        RETURN;
    END IF;
    IF n = p_limit THEN
        last_at := v_times[n];
        last_id := v_ids[n];
    END IF;

    SELECT p.outcomes INTO v_outcomes
      FROM core.post_transactions(
          p_references => v_references, p_types => v_types, p_debits => v_debits, p_credits => v_credits,
          p_fallbacks => NULL, p_amounts => v_amounts, p_currencies => array_fill('KES'::text, ARRAY[n]),
          p_narratives => v_narratives
      ) AS p;
    posted := cardinality(array_positions(v_outcomes, 'created'));
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_matches (line_id, transaction_id)
    SELECT x.line, t.id
      FROM unnest(v_ids, v_references) AS x (line, reference)
      JOIN core.transactions t ON t.reference = x.reference AND t.reference = ANY (v_references)
     ORDER BY x.line
    ON CONFLICT DO NOTHING;
    PERFORM set_config('daftari.door', '', true);
END
$$;
