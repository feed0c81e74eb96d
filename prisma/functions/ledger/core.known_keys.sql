-- For which requests these idempotency keys were used. For core.post_transactions, which has locked their wallets.
--
-- After: all is NULL, as nearly always, when no key is used and none is named twice. Otherwise places has the place of
--        each item's key, and digests the request of each, NULL where the key is free.
CREATE OR REPLACE FUNCTION core.known_keys(p_keys text[], OUT places integer[], OUT digests text[])
LANGUAGE plpgsql
STABLE
AS $$
DECLARE
    v_used  text[];
    v_names text[];
BEGIN
    SELECT array_agg(q.idempotency_key::text), array_agg(q.digest::text)
      INTO v_used, digests
      FROM core.requests q
     WHERE q.idempotency_key = ANY (p_keys);
    IF v_used IS NULL
       AND (SELECT count(DISTINCT t.key COLLATE "C") = count(t.key) FROM unnest(p_keys) AS t (key)) THEN
        RETURN;
    END IF;
    SELECT r.places, r.names INTO places, v_names FROM core.rank_names(p_keys) AS r;
    SELECT array_agg(q.digest ORDER BY s.place)
      INTO digests
      FROM unnest(v_names) WITH ORDINALITY AS s (key, place)
      LEFT JOIN unnest(v_used, digests) AS q (key, digest) ON q.key = s.key;
END
$$;
