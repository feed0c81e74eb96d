-- core.suggest_wallets of a distributed database: the same, with one question to every lane for each way of meaning a wallet.
CREATE OR REPLACE FUNCTION core.suggest_wallets(
    p_account text, p_phone text, p_phone_hash text, p_name text DEFAULT NULL
)
RETURNS TABLE (wallet text, reason text)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_typed  constant text := core.normalize_phone(regexp_replace(coalesce(p_account, ''), '[\s\u00a0-]', '', 'g'));
    v_payer  text := core.normalize_phone(p_phone);
    v_words  constant text[] := core.mask_words(p_phone => p_phone, p_name => p_name);
    v_shared text[];
    v_paying text[];
    v_masked text[];
    v_names  text[];
BEGIN
    IF p_phone IS NULL AND p_phone_hash IS NOT NULL THEN
        v_payer := core.phone_of_hash(p_phone_hash);
    END IF;
    IF v_typed IS NOT NULL THEN
        SELECT array_agg(w.id::text) INTO v_shared
          FROM core.wallets w WHERE w.phone = v_typed AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED';
    END IF;
    IF v_payer IS NOT NULL THEN
        SELECT array_agg(w.id::text) INTO v_paying
          FROM core.wallets w WHERE w.phone = v_payer AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED';
    END IF;
    IF p_phone LIKE '%*%' THEN
        SELECT array_agg(w.id::text), array_agg(w.holder_name::text) INTO v_masked, v_names
          FROM core.wallets w
         WHERE core.mask_words(w.phone, w.holder_name) && v_words AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
           AND services.may_be_phone(w.phone, p_phone, NULL);
    END IF;
    RETURN QUERY
    SELECT s.wallet, s.reason
      FROM (
        SELECT c.wallet, (array_agg(c.reason ORDER BY c.rank))[1] AS reason, min(c.rank) AS rank, min(c.place) AS place
          FROM (
            SELECT n.wallet, 'near_number' AS reason, 1 AS rank, 0 AS place
              FROM unnest(core.nearest_wallets(p_account)) AS n (wallet)
             UNION ALL
            SELECT n.wallet, 'account_phone', 2, 0 FROM unnest(v_shared) AS n (wallet)
             UNION ALL
            SELECT n.wallet, CASE WHEN p_phone IS NULL THEN 'payer_phone_hash' ELSE 'payer_phone' END, 3, 0
              FROM unnest(v_paying) AS n (wallet)
             WHERE cardinality(v_paying) = 1
             UNION ALL
            -- The more words fit, the likelier.
            SELECT n.wallet, 'payer_mask_and_name', 4, -cardinality(ARRAY(
                       SELECT unnest(core.name_words(n.name)) INTERSECT SELECT unnest(core.name_words(p_name))
                   ))
              FROM unnest(v_masked, v_names) AS n (wallet, name)
          ) c
         GROUP BY c.wallet
         ORDER BY rank, place, c.wallet
         LIMIT 5
      ) s;
END
$$;
