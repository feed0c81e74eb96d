-- Makes an API key, once for its idempotency key. Only the hash of the key itself comes here and is kept.
--
-- After: outcome 'created' with its id; 'replayed' with the id of the key that was made for this idempotency key; or
--        'key_reused'. Of two calls with one new idempotency key at the same moment the later one fails with SQLSTATE
--        23505 on requests_pkey: repeated, it finds what the other has made.
CREATE OR REPLACE FUNCTION services.create_api_key(
    p_name text, p_key_hash text, p_scopes text[], p_key text DEFAULT NULL, p_digest text DEFAULT NULL,
    OUT outcome text, OUT id uuid
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reference::uuid INTO id FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;
    outcome := 'created';
    id := core.new_id();
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.api_keys (id, name, key_hash, scopes) VALUES (id, p_name, p_key_hash, p_scopes);
    IF p_key IS NOT NULL THEN
        INSERT INTO core.requests (idempotency_key, digest, outcome, reference) VALUES (p_key, p_digest, 'POSTED', id::text);
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$$;
