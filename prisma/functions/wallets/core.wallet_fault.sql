-- What is wrong with a wallet's holder or phone as they are to be written, or NULL: invalid_holder_name, invalid_phone.
-- NULL for either is not looked at.
CREATE OR REPLACE FUNCTION core.wallet_fault(p_holder_name text, p_phone text)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN p_holder_name <> btrim(p_holder_name) OR p_holder_name IS NOT NULL AND NOT core.is_holder_name(p_holder_name)
            THEN 'invalid_holder_name'
        WHEN p_phone IS NOT NULL AND core.normalize_phone(p_phone) IS NULL THEN 'invalid_phone'
    END
$$;
