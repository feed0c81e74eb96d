-- The requests that these keys were used for. A query that joins tables of several
-- nodes joins what such functions answer.
CREATE OR REPLACE FUNCTION lanes.requests_of(p_keys text[])
RETURNS SETOF core.requests
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    IF cardinality(p_keys) > 0 THEN
        RETURN QUERY SELECT q.* FROM core.requests q WHERE q.idempotency_key = ANY (p_keys);
    END IF;
END
$$;
