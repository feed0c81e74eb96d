-- What M-PESA's statements say about a period of the account that customers pay into: one row.
--
-- Lines come in any order, so the ends are found by their balances: each line begins where another one ended, except the
-- first, and ends where another one begins, except the last.
-- opening, closing: NULL when no line says; without a line they are the closing balance of the period that was closed before.
-- breaks: how often the balance jumps. unknown: lines that do not say their balance.
CREATE OR REPLACE FUNCTION services.mpesa_period_balance(
    p_short_code text, p_from timestamp, p_to timestamp,
    OUT opening numeric, OUT paid_in numeric, OUT withdrawn numeric, OUT closing numeric, OUT breaks integer, OUT unknown integer
)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_lines integer;
    v_start numeric;
BEGIN
    WITH lines AS (
        SELECT l.completed_at AS at, l.paid_in, l.withdrawn, l.balance, l.balance - l.paid_in + l.withdrawn AS before
          FROM services.mpesa_statement_lines l
         WHERE l.short_code = p_short_code AND l.completed_at >= p_from AND l.completed_at < p_to
           AND l.is_completed AND l.account_key = ''
    ), ends AS (
        SELECT e.balance, sum(e.side) AS side, min(e.at) AS first_at, max(e.at) AS last_at
          FROM (
            SELECT l.before AS balance, 1 AS side, l.at FROM lines l WHERE l.balance IS NOT NULL
            UNION ALL
            SELECT l.balance, -1, l.at FROM lines l WHERE l.balance IS NOT NULL
          ) e
         GROUP BY e.balance
        HAVING sum(e.side) <> 0
    )
    SELECT t.lines, t.paid_in, t.withdrawn, t.unknown,
           (SELECT e.balance FROM ends e WHERE e.side > 0 ORDER BY e.first_at, e.balance LIMIT 1),
           (SELECT e.balance FROM ends e WHERE e.side < 0 ORDER BY e.last_at DESC, e.balance LIMIT 1),
           coalesce((SELECT sum(e.side) FROM ends e WHERE e.side > 0), 1) - 1,
           -- A balance that came back to where it began has no ends.
           (SELECT l.before FROM lines l WHERE l.balance IS NOT NULL ORDER BY l.at, l.before LIMIT 1)
      INTO v_lines, paid_in, withdrawn, unknown, opening, closing, breaks, v_start
      FROM (
        SELECT count(*) AS lines, coalesce(sum(l.paid_in), 0.00) AS paid_in, coalesce(sum(l.withdrawn), 0.00) AS withdrawn,
               count(*) FILTER (WHERE l.balance IS NULL) AS unknown
          FROM lines l
      ) t;
    IF v_lines = 0 THEN
        SELECT p.closing INTO v_start
          FROM services.mpesa_periods p
         WHERE p.short_code = p_short_code AND p.status = 'CLOSED' AND p.to_at = p_from;
    END IF;
    opening := coalesce(opening, v_start);
    closing := coalesce(closing, v_start);
END
$$;
