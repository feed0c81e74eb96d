-- services.lock_message_ids of a distributed database: rows in the lanes of the ids instead of advisory locks, which each node has
-- by itself. They lie where reports do and what lanes.note_message_ids writes, so that who gets the lock sees both.
CREATE OR REPLACE FUNCTION services.lock_message_ids(p_message_ids text[], p_exclusive boolean)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_lane    smallint;
    v_classes smallint[];
BEGIN
    FOR v_lane, v_classes IN
        SELECT core.lane_of(t.id), array_agg(DISTINCT (hashtext(t.id) & 31)::smallint)
          FROM unnest(p_message_ids) AS t (id)
         WHERE t.id IS NOT NULL
         GROUP BY core.lane_of(t.id)
         ORDER BY core.lane_of(t.id)
    LOOP
        IF p_exclusive THEN
            PERFORM 1
               FROM lanes.message_locks k
              WHERE k.lane = v_lane AND k.class = ANY (v_classes)
              ORDER BY k.class
                FOR UPDATE;
        ELSE
            PERFORM 1
               FROM lanes.message_locks k
              WHERE k.lane = v_lane AND k.class = ANY (v_classes)
              ORDER BY k.class
                FOR SHARE;
        END IF;
    END LOOP;
END
$$;
