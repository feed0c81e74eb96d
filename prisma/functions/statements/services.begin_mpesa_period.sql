-- Begins to close the books of a period: from here on whatever is posted belongs to the day on which it is posted.
--
-- Periods of a short code are closed in order and without gaps, the first one wherever it begins.
-- Before: nothing is locked. An import of the short code's statements that is under way is waited for: a later one finds the
--         period and is refused.
-- After:  whatever moved the float before closed_at is committed, for the float was locked when the clock was read. outcome
--         'begun' with the row's id, or 'refused' with reason: period_in_future, period_closed (it, or one that it overlaps, is
--         closed), or periods_out_of_order. A row that was left CLOSING is given up.
CREATE OR REPLACE FUNCTION services.begin_mpesa_period(
    p_short_code text, p_from timestamp, p_to timestamp, p_by text,
    OUT outcome text, OUT reason text, OUT id uuid
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_until timestamp;
    v_now   timestamp;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_statements ' || p_short_code, 0));
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_periods ' || p_short_code, 0));
    SELECT max(p.to_at) INTO v_until FROM services.mpesa_periods p WHERE p.short_code = p_short_code AND p.status = 'CLOSED';
    outcome := 'refused';
    reason := CASE
        WHEN p_from < v_until THEN 'period_closed'
        WHEN p_from > v_until THEN 'periods_out_of_order'
        WHEN p_to > clock_timestamp() AT TIME ZONE 'UTC' THEN 'period_in_future'
    END;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM core.lock_wallets(ARRAY(
        SELECT core.stripe_of(p_account => 'MPESA-FLOAT', p_lane => s.lane::smallint) FROM generate_series(0, 15) AS s (lane)
    ));
    v_now := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_periods p SET status = 'REFUSED' WHERE p.short_code = p_short_code AND p.status = 'CLOSING';
    INSERT INTO services.mpesa_periods AS p (short_code, from_at, to_at, closed_at, closed_by)
    VALUES (p_short_code, p_from, p_to, v_now, coalesce(p_by, session_user))
    RETURNING p.id INTO id;
    PERFORM set_config('daftari.door', '', true);
    outcome := 'begun';
END
$$;
