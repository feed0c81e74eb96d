-- Asks core.name_vector for names that have words beginning with each of the words given. NULL where no word is.
CREATE OR REPLACE FUNCTION core.name_query(p_name text)
RETURNS tsquery
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT string_agg('''' || w || ''':*', ' & ')::tsquery FROM unnest(core.name_words(p_name)) AS w
$$;
