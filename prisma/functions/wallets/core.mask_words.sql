-- What a masked number and a name have in common with a wallet, for wallets_mask_idx: each word of the name behind the last
-- three digits of the number. Initials and other short words find nobody.
CREATE OR REPLACE FUNCTION core.mask_words(p_phone text, p_name text)
RETURNS text[]
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT array_agg(DISTINCT right(p_phone, 3) || w) FROM unnest(core.name_words(p_name)) AS w
     WHERE p_phone ~ '[0-9]{3}$' AND length(w) > 2
$$;
