-- Reopens the last closed period of a short code. Who and why stay with the row; closed again it is a new row.
--
-- After: outcome 'reopened', or 'refused' with reason: unknown_period, period_not_closed, or later_period_closed: what was
--        closed on top of it must be reopened first.
CREATE OR REPLACE FUNCTION services.reopen_mpesa_period(
    p_id uuid, p_by text, p_reason text, OUT outcome text, OUT reason text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_period services.mpesa_periods;
BEGIN
    SELECT * INTO v_period FROM services.mpesa_periods p WHERE p.id = p_id;
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_periods ' || coalesce(v_period.short_code, ''), 0));
    SELECT * INTO v_period FROM services.mpesa_periods p WHERE p.id = p_id;
    outcome := 'refused';
    reason := CASE
        WHEN v_period.id IS NULL THEN 'unknown_period'
        WHEN v_period.status <> 'CLOSED' THEN 'period_not_closed'
        WHEN EXISTS (
            SELECT FROM services.mpesa_periods p
             WHERE p.short_code = v_period.short_code AND p.status IN ('CLOSED', 'CLOSING') AND p.to_at > v_period.to_at
        ) THEN 'later_period_closed'
    END;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_periods p
       SET status = 'REOPENED', reopened_at = clock_timestamp() AT TIME ZONE 'UTC', reopened_by = coalesce(p_by, session_user),
           reopened_for = p_reason
     WHERE p.id = p_id;
    PERFORM set_config('daftari.door', '', true);
    outcome := 'reopened';
END
$$;
