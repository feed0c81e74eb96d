-- Remembers a refusal under its key, so that a late retry is told the same.
CREATE OR REPLACE FUNCTION core.refuse_request(p_key text, p_digest text, p_reason text)
RETURNS void
LANGUAGE sql
VOLATILE
AS $$
    INSERT INTO core.requests (idempotency_key, digest, outcome, reason)
    VALUES (p_key, p_digest, 'REFUSED', p_reason)
$$;
