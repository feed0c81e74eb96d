-- What core.route_account and core.suggest_wallets answer about one account, as questions that a distributed table can be
-- asked: each names its lane, or is one look at every lane without a join.
--
-- p_payer: the payer's number, if it is known.
-- After: the wallet, or NULL with the reason and the numbers of the wallets that may have been meant.
CREATE OR REPLACE FUNCTION lanes.route_account(
    p_account text, p_payer text, OUT wallet text, OUT reason text, OUT names text[]
)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_typed  constant text := regexp_replace(coalesce(p_account, ''), '[\s\u00a0-]', '', 'g');
    v_lane   constant smallint := core.lane_of(v_typed);
    v_phone  constant text := core.normalize_phone(v_typed);
    v_payer  constant text := core.normalize_phone(p_payer);
    v_near   text[];
    v_shared text[];
    v_paying text[];
BEGIN
    SELECT w.id INTO wallet FROM core.wallets w WHERE w.lane = v_lane AND w.id = v_typed AND w.kind = 'CUSTOMER';
    IF wallet IS NOT NULL THEN
        RETURN;
    END IF;
    IF v_phone IS NOT NULL THEN
        SELECT array_agg(w.id::text)
          INTO v_shared
          FROM core.wallets w
         WHERE w.phone = v_phone AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED';
    END IF;
    IF cardinality(v_shared) = 1 THEN
        wallet := v_shared[1];
        RETURN;
    END IF;
    reason := CASE
        WHEN v_typed = '' THEN 'no_account'
        WHEN v_shared IS NOT NULL THEN 'ambiguous_phone'
        WHEN v_typed ~ '^[1-9][0-9]{9}$' AND NOT core.has_check_digit(v_typed) THEN 'wrong_check_digit'
        ELSE 'unknown_account'
    END;

    IF v_typed ~ '^[0-9]{10}$' THEN
        SELECT array_agg(c.number)
          INTO v_near
          FROM (
            SELECT overlay(v_typed PLACING digit.value::text FROM place.value FOR 1)
              FROM generate_series(1, 10) AS place (value), generate_series(0, 9) AS digit (value)
             UNION
            SELECT overlay(v_typed PLACING reverse(substr(v_typed, place.value, 2)) FROM place.value FOR 2)
              FROM generate_series(1, 9) AS place (value)
          ) AS c (number);
        SELECT array_agg(w.id::text)
          INTO v_near
          FROM core.wallets w
         WHERE w.id = ANY (v_near) AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED';
    END IF;
    IF v_payer IS NOT NULL THEN
        SELECT array_agg(w.id::text)
          INTO v_paying
          FROM core.wallets w
         WHERE w.phone = v_payer AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED';
    END IF;
    SELECT array_agg(s.id ORDER BY s.rank, s.id)
      INTO names
      FROM (
        SELECT c.id, min(c.rank) AS rank
          FROM (
            SELECT n.id, 1 AS rank FROM (SELECT x.id FROM unnest(v_near) AS x (id) ORDER BY x.id LIMIT 5) AS n
             UNION ALL
            SELECT x.id, 2 FROM unnest(v_shared) AS x (id)
             UNION ALL
            SELECT x.id, 3 FROM unnest(v_paying) AS x (id) WHERE cardinality(v_paying) = 1
          ) c
         GROUP BY c.id
         ORDER BY rank, c.id
         LIMIT 5
      ) s;
END
$$;
