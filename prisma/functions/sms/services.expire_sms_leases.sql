-- Takes attempts whose lease is over for what they are: they may or may not have been sent, and are never sent again by
-- themselves. A late answer, a report or a person resolves them. Every sender may call it.
--
-- After: how many, p_limit at most.
CREATE OR REPLACE FUNCTION services.expire_sms_leases(p_limit integer)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    -- A value, not a call: what may change from row to row an index cannot look for.
    v_now   constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_count integer;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    WITH due AS MATERIALIZED (
        SELECT l.id
          FROM services.sms_logs l
         WHERE l.phase = 'SENDING' AND l.lease_until <= v_now
         ORDER BY l.lease_until
         LIMIT p_limit
           FOR NO KEY UPDATE SKIP LOCKED
    ), changed AS (
        UPDATE services.sms_logs l
           SET phase = 'UNKNOWN', lease_until = NULL, error_code = 'lease_over',
               error_message = 'No answer was recorded in time: it may or may not have been sent.'
          FROM due d
         WHERE l.id = d.id
        RETURNING l.id, l.attempts, l.claimed_by
    )
    INSERT INTO services.sms_events (sms_id, kind, attempt, detail)
    SELECT c.id, 'UNKNOWN', c.attempts, 'lease_over, claimed by ' || c.claimed_by
      FROM changed c;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_count;
END
$$;
