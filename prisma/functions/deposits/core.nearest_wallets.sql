-- Wallet numbers that are one slip of the finger away from what was typed: one digit wrong, or two neighbours
-- swapped. At most five, in order. Empty unless ten digits were typed.
CREATE OR REPLACE FUNCTION core.nearest_wallets(p_account text)
RETURNS text[]
LANGUAGE sql
STABLE
AS $$
    SELECT coalesce(array_agg(w.id ORDER BY w.id), '{}')
      FROM (
        SELECT w.id
          FROM (SELECT regexp_replace(coalesce(p_account, ''), '[\s\u00a0-]', '', 'g')) AS t (typed)
         CROSS JOIN LATERAL (
            SELECT overlay(t.typed PLACING digit.value::text FROM place.value FOR 1)
              FROM generate_series(1, 10) AS place (value), generate_series(0, 9) AS digit (value)
             UNION
            SELECT overlay(t.typed PLACING reverse(substr(t.typed, place.value, 2)) FROM place.value FOR 2)
              FROM generate_series(1, 9) AS place (value)
          ) AS candidate (number)
          JOIN core.wallets w ON w.id = candidate.number AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
         WHERE t.typed ~ '^[0-9]{10}$'
         ORDER BY w.id
         LIMIT 5
      ) w
$$;
