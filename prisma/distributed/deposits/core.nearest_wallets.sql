-- core.nearest_wallets of a distributed database: the numbers first, and one question for those that are there.
CREATE OR REPLACE FUNCTION core.nearest_wallets(p_account text)
RETURNS text[]
LANGUAGE plpgsql
STABLE
AS $$
DECLARE
    v_typed constant text := regexp_replace(coalesce(p_account, ''), '[\s\u00a0-]', '', 'g');
    v_near  text[];
BEGIN
    IF v_typed !~ '^[0-9]{10}$' THEN
        RETURN '{}';
    END IF;
    SELECT array_agg(c.number)
      INTO v_near
      FROM (
        SELECT overlay(v_typed PLACING digit.value::text FROM place.value FOR 1)
          FROM generate_series(1, 10) AS place (value), generate_series(0, 9) AS digit (value)
         UNION
        SELECT overlay(v_typed PLACING reverse(substr(v_typed, place.value, 2)) FROM place.value FOR 2)
          FROM generate_series(1, 9) AS place (value)
      ) AS c (number);
    RETURN ARRAY(
        SELECT w.id::text
          FROM lanes.wallets_of(v_near) w
         WHERE w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
         ORDER BY w.id
         LIMIT 5
    );
END
$$;
