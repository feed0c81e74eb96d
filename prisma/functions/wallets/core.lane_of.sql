-- The lane of a wallet, 0 to 15, from its number: batches of different lanes share no wallet.
--
-- It is the last four bits of the first byte of the number's SHA-256; a stripe of a system account has the lane in its
-- name, and the account's own name is that of lane 0. laneOf() in packages/db computes the same in TypeScript; a property
-- test compares the two.
CREATE OR REPLACE FUNCTION core.lane_of(p_number text)
RETURNS smallint
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN p_number ~ '^(MPESA-FLOAT|SUSPENSE|FEES)(\.([1-9]|1[0-5]))?$'
            THEN coalesce(nullif(split_part(p_number, '.', 2), ''), '0')::smallint
        ELSE (get_byte(sha256(convert_to(p_number, 'UTF8')), 0) & 15)::smallint
    END
$$;
