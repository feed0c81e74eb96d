-- The place of each name among all of them, sorted: equal names share a place, NULL has none.
--
-- After: places has one element a name, names each different one once, at its place.
CREATE OR REPLACE FUNCTION core.rank_names(p_names text[], OUT places integer[], OUT names text[])
LANGUAGE plpgsql
IMMUTABLE
AS $$
BEGIN
    SELECT array_agg(CASE WHEN l.name IS NOT NULL THEN l.place END ORDER BY l.slot),
           array_agg(l.name ORDER BY l.place) FILTER (WHERE l.is_first AND l.name IS NOT NULL)
      INTO places, names
      FROM (
        SELECT s.slot, s.name,
               (dense_rank() OVER sorted)::integer AS place,
               lag(s.name) OVER sorted IS DISTINCT FROM s.name AS is_first
          FROM unnest(p_names) WITH ORDINALITY AS s (name, slot)
        WINDOW sorted AS (ORDER BY s.name COLLATE "C")
      ) l;
END
$$;
