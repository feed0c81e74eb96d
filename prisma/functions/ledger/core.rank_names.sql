-- The place of each name among all of them, sorted: equal names share a place, NULL has none.
--
-- Before: the caller has switched nested loops off, so that names are found by hashing.
-- After:  places has one element a name, names each different one once, at its place.
CREATE OR REPLACE FUNCTION core.rank_names(p_names text[], OUT places integer[], OUT names text[])
LANGUAGE plpgsql
IMMUTABLE
AS $$
BEGIN
    SELECT array_agg(d.name ORDER BY d.name COLLATE "C")
      INTO names
      FROM (SELECT DISTINCT s.name FROM unnest(p_names) AS s (name) WHERE s.name IS NOT NULL) d;
    SELECT array_agg(t.place::integer ORDER BY s.slot)
      INTO places
      FROM unnest(p_names) WITH ORDINALITY AS s (name, slot)
      LEFT JOIN unnest(names) WITH ORDINALITY AS t (name, place) ON t.name = s.name;
END
$$;
