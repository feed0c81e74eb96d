-- Remembers a refusal under its key, so that a late retry is told the same.
CREATE OR REPLACE FUNCTION core.refuse_request(p_key text, p_digest text, p_reason text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.requests (idempotency_key, digest, outcome, reason)
    VALUES (p_key, p_digest, 'REFUSED', p_reason);
    PERFORM set_config('daftari.door', '', true);
END
$$;
