-- The token that all processes share, or the task to fetch a new one: a new token ends the old one, so one process fetches
-- it for everybody.
--
-- p_refused: the token, as it is stored, that M-PESA no longer takes; NULL when none was refused.
-- p_margin_ms: a token that ends sooner is not handed out any more.
-- After: must_refresh, and the caller fetches a token and stores it within p_lease_ms; or the token; or neither, while
--        another process fetches one.
CREATE OR REPLACE FUNCTION services.claim_daraja_token(
    p_client text, p_refused bytea, p_margin_ms integer, p_lease_ms integer,
    OUT token bytea, OUT must_refresh boolean
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    d     services.daraja_tokens;
BEGIN
    must_refresh := false;
    -- Nearly always the token is there, and nothing is written.
    SELECT x.token INTO token
      FROM services.daraja_tokens x
     WHERE x.client = p_client AND x.expires_at > v_now + p_margin_ms * interval '1 millisecond'
       AND x.token IS DISTINCT FROM p_refused;
    IF token IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.daraja_tokens (client) VALUES (p_client) ON CONFLICT (client) DO NOTHING;
    SELECT * INTO d FROM services.daraja_tokens x WHERE x.client = p_client FOR UPDATE;
    IF d.expires_at > v_now + p_margin_ms * interval '1 millisecond' AND d.token IS DISTINCT FROM p_refused THEN
        token := d.token;
    ELSIF d.refreshing_till IS NULL OR d.refreshing_till <= v_now THEN
        must_refresh := true;
        UPDATE services.daraja_tokens x
           SET refreshing_till = v_now + p_lease_ms * interval '1 millisecond'
         WHERE x.client = p_client;
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$$;
