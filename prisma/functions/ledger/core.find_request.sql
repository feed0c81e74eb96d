-- What came of an idempotency key before: NULL when it is new, otherwise 'replayed' or 'key_reused'. Called with the
-- locks of the wallets held, so that a request under way elsewhere has been committed by then.
CREATE OR REPLACE FUNCTION core.find_request(p_key text, p_digest text)
RETURNS text
LANGUAGE sql
VOLATILE
AS $$
    SELECT CASE WHEN q.digest = p_digest THEN 'replayed' ELSE 'key_reused' END
      FROM core.requests q
     WHERE q.idempotency_key = p_key
$$;
