-- The words of a name for wallets_name_idx, which finds them by how they begin.
CREATE OR REPLACE FUNCTION core.name_vector(p_name text)
RETURNS tsvector
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT array_to_tsvector(core.name_words(p_name))
$$;
