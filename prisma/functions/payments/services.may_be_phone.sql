-- Whether what a message tells of a payer's number can be this number: the same digits, a mask that fits, its hash (whole or
-- masked in the middle), or nothing at all.
CREATE OR REPLACE FUNCTION services.may_be_phone(p_phone text, p_told text, p_hash text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
AS $$
    SELECT CASE
        WHEN p_hash IS NOT NULL THEN
            starts_with(encode(sha256(p_phone::bytea), 'hex'), split_part(p_hash, '*', 1))
            AND right(encode(sha256(p_phone::bytea), 'hex'), length(substring(p_hash FROM '[^*]*$')))
                = substring(p_hash FROM '[^*]*$')
        WHEN p_told LIKE '%*%' THEN
            starts_with(p_phone, split_part(replace(p_told, ' ', ''), '*', 1))
            AND right(p_phone, length(substring(replace(p_told, ' ', '') FROM '[^*]*$')))
                = substring(replace(p_told, ' ', '') FROM '[^*]*$')
        ELSE p_told IS NULL OR p_told = p_phone
    END
$$;
