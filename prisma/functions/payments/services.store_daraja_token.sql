-- Keeps a token that was just fetched, for p_valid_ms. Without one (NULL) the fetching has failed, and another process may
-- try.
CREATE OR REPLACE FUNCTION services.store_daraja_token(p_client text, p_token bytea, p_valid_ms integer)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.daraja_tokens x
       SET token = coalesce(p_token, x.token), refreshing_till = NULL,
           expires_at = CASE
               WHEN p_token IS NULL THEN x.expires_at
               ELSE (clock_timestamp() AT TIME ZONE 'UTC') + p_valid_ms * interval '1 millisecond'
           END
     WHERE x.client = p_client;
    PERFORM set_config('daftari.door', '', true);
END
$$;
