-- The words of a name as people look for them: small letters without accents and apostrophes; hyphens and full stops
-- part words.
CREATE OR REPLACE FUNCTION core.name_words(p_name text)
RETURNS text[]
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT array_remove(string_to_array(
        regexp_replace(
            regexp_replace(lower(normalize(p_name, NFKD)), '[\u0300-\u036F\u0027\u2018\u2019\u02BC]', '', 'g'),
            '[^[:alnum:]\u0080-\U0010FFFF]+', ' ', 'g'
        ), ' '), '')
$$;
