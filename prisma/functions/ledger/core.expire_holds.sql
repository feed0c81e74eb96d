-- Gives back the money of holds whose time is over, the longest over first, p_limit at most. One that cannot be given
-- back (what its wallet has reserved is wrong, say) stops none of the others and stays as it is.
--
-- p_after_time, p_after_id: expires_at and id of the last hold that was looked at before; NULL to begin with the first.
-- After: a row for each hold looked at, in that order: outcome posted, or refused when somebody else closed it meanwhile,
--        or failed, with what failed: the SQLSTATE and the constraint, if there is one.
CREATE OR REPLACE FUNCTION core.expire_holds(p_limit integer, p_after_time timestamp, p_after_id uuid)
RETURNS TABLE (hold_id uuid, expires_at timestamp, outcome text, failure text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_now   constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_after constant timestamp(3) := coalesce(p_after_time, '-infinity');
    v_due   uuid[];
    h       core.holds;
    v_constraint text;
BEGIN
    v_due := ARRAY(
        SELECT x.id
          FROM core.holds x
         WHERE x.status = 'ACTIVE' AND x.expires_at <= v_now AND x.expires_at >= v_after
           AND (x.expires_at > v_after OR p_after_id IS NULL OR x.id > p_after_id)
         ORDER BY x.expires_at, x.id
         LIMIT p_limit
    );
    PERFORM core.lock_wallets(ARRAY(SELECT x.wallet_id::text FROM core.holds x WHERE x.id = ANY (v_due)));

    FOR h IN SELECT * FROM core.holds x WHERE x.id = ANY (v_due) ORDER BY x.expires_at, x.id LOOP
        hold_id := h.id; expires_at := h.expires_at; failure := NULL;
        BEGIN
            SELECT f.outcome INTO outcome FROM core.release_hold(p_hold_id => h.id, p_status => 'EXPIRED') AS f;
        EXCEPTION WHEN OTHERS THEN
            -- Only what is wrong with this one: a deadlock, a time limit or a full disk is everybody's.
            IF left(SQLSTATE, 2) NOT IN ('22', '23', 'DF', 'P0') THEN
                RAISE;
            END IF;
            GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
            outcome := 'failed';
            failure := concat_ws(' ', SQLSTATE, nullif(v_constraint, ''));
        END;
        RETURN NEXT;
    END LOOP;
END
$$;
