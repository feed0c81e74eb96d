-- core.phone_of_hash of a distributed database: the same question in PL/pgSQL, because a query of an SQL function with a
-- parameter cannot be planned for many nodes.
CREATE OR REPLACE FUNCTION core.phone_of_hash(p_hash text)
RETURNS text
LANGUAGE plpgsql
STABLE
AS $$
DECLARE
    v_left  constant text := split_part(p_hash, '*', 1);
    v_right constant text := substring(p_hash FROM '[^*]*$');
    v_phone text;
    v_count bigint;
BEGIN
    SELECT min(w.phone), count(DISTINCT w.phone)
      INTO v_phone, v_count
      FROM core.wallets w
     WHERE encode(sha256(w.phone::bytea), 'hex') COLLATE "C" >= v_left
       AND encode(sha256(w.phone::bytea), 'hex') COLLATE "C" < v_left || 'g'
       AND right(encode(sha256(w.phone::bytea), 'hex'), length(v_right)) = v_right
       AND length(v_left) >= 16;
    RETURN CASE WHEN v_count = 1 THEN v_phone END;
END
$$;
