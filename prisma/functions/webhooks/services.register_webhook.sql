-- Registers an endpoint, which gets the events from the next transaction on.
--
-- p_secret: what signs its messages, sealed by the service.
-- After: its id; NULL when an active endpoint has this address.
CREATE OR REPLACE FUNCTION services.register_webhook(
    p_url text, p_events text[], p_description text, p_secret bytea, p_by text
)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_id uuid;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.webhooks (url, events, description, secret, created_by)
    VALUES (p_url, p_events, p_description, p_secret, p_by)
        ON CONFLICT (url) WHERE status = 'ACTIVE' DO NOTHING
    RETURNING id INTO v_id;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_id;
END
$$;
