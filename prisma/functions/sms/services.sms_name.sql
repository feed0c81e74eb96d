-- A name as our texts write it: plain Latin letters, spaces, apostrophes, hyphens and full stops, 25 of them at most.
-- Accents go, and all else; no link comes of what is left. Empty when nothing is left, as of a name in another script;
-- NULL for none.
--
-- One expression, so that it becomes part of the query that calls it.
CREATE OR REPLACE FUNCTION services.sms_name(p_name text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN p_name !~ '[^A-Za-z ]' THEN rtrim(left(btrim(p_name), 25))
        ELSE rtrim(left(btrim(regexp_replace(
            regexp_replace(translate(normalize(p_name, NFKD), U&'\2018\2019\02BC', ''''''''), '[^A-Za-z .''-]', '', 'g'),
            '\.(?=[A-Za-z]{2})', '. ', 'g'
        ), ' -.'''), 25))
    END
$$;
