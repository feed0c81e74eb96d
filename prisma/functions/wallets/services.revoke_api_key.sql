-- Revokes an API key for good. Repeated it does nothing.
CREATE OR REPLACE FUNCTION services.revoke_api_key(p_id uuid)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.api_keys SET revoked_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE id = p_id AND revoked_at IS NULL;
    PERFORM set_config('daftari.door', '', true);
END
$$;
