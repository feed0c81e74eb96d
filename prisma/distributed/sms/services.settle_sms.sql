-- services.settle_sms of a distributed database: the same arguments, the same answers, on whichever node it is called.
--
-- Each lane's answers are recorded by lanes.settle_sms and lanes.settle_late_sms on the node that has it. What lies elsewhere,
-- the node that was asked does: reports by the provider's ids, and the day's spending.
--
-- Locks, in this order for everybody: the providers' ids, the lanes by number, in each the messages by id, the day's spending.
CREATE OR REPLACE FUNCTION services.settle_sms(
    p_ids uuid[], p_attempts integer[], p_outcomes text[], p_message_ids text[], p_costs numeric[], p_currencies text[],
    p_parts integer[], p_expected_parts integer[], p_encodings text[], p_texts text[], p_error_codes text[],
    p_error_messages text[], p_retry_ms bigint[]
)
RETURNS TABLE (ord integer, result text, status text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    n          constant integer := coalesce(array_length(p_ids, 1), 0);
    v_now      constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_known    uuid[];
    v_places   smallint[];
    v_lanes    smallint[]; -- one element a settlement, like what follows
    v_results  text[] := array_fill('ignored'::text, ARRAY[n]);
    v_statuses text[] := array_fill(NULL::text, ARRAY[n]);
    v_names    text[] := array_fill(NULL::text, ARRAY[n]); -- the provider's ids that the messages have now
    v_reported text[]; -- those of them that reports have named
    v_changed  integer[]; -- elements whose messages reports may have changed
    v_after    integer[]; -- elements whose answer came after the next attempt began
    v_late     integer[]; -- those of a lane
    v_lane     smallint;
    d          record;
    a          record;
BEGIN
    IF EXISTS (
        SELECT 1 FROM unnest(p_outcomes) AS t (outcome)
         WHERE t.outcome IS NULL OR t.outcome NOT IN ('accepted', 'refused', 'retry', 'unknown')
    ) THEN
        RAISE EXCEPTION 'an outcome is accepted, refused, retry or unknown' USING ERRCODE = '22023';
    END IF;
    SELECT array_agg(nullif(left(btrim(t.id), 255), '') ORDER BY t.ord)
      INTO p_message_ids
      FROM unnest(p_message_ids) WITH ORDINALITY AS t (id, ord);
    PERFORM services.lock_message_ids(p_message_ids => p_message_ids, p_exclusive => false);
    SELECT array_agg(s.id), array_agg(s.lane) INTO v_known, v_places FROM services.sms_logs s WHERE s.id = ANY (p_ids);
    SELECT array_agg(k.lane ORDER BY t.ord)
      INTO v_lanes
      FROM unnest(p_ids) WITH ORDINALITY AS t (id, ord)
      LEFT JOIN unnest(v_known, v_places) AS k (id, lane) ON k.id = t.id;

    -- ---- 1. The answers, lane by lane ----

    FOR v_lane IN SELECT DISTINCT l.lane FROM unnest(v_lanes) AS l (lane) WHERE l.lane IS NOT NULL ORDER BY l.lane LOOP
        SELECT array_agg(i ORDER BY i) AS items, array_agg(p_ids[i] ORDER BY i) AS ids,
               array_agg(p_attempts[i] ORDER BY i) AS attempts, array_agg(p_outcomes[i] ORDER BY i) AS outcomes,
               array_agg(p_message_ids[i] ORDER BY i) AS message_ids, array_agg(p_costs[i] ORDER BY i) AS costs,
               array_agg(p_currencies[i] ORDER BY i) AS currencies, array_agg(p_parts[i] ORDER BY i) AS parts,
               array_agg(p_expected_parts[i] ORDER BY i) AS expected_parts, array_agg(p_encodings[i] ORDER BY i) AS encodings,
               array_agg(p_texts[i] ORDER BY i) AS texts, array_agg(p_error_codes[i] ORDER BY i) AS error_codes,
               array_agg(p_error_messages[i] ORDER BY i) AS error_messages, array_agg(p_retry_ms[i] ORDER BY i) AS retry_ms
          INTO d
          FROM generate_series(1, n) AS i
         WHERE v_lanes[i] = v_lane;
        SELECT array_agg(r.result ORDER BY r.ord) AS results, array_agg(r.status ORDER BY r.ord) AS statuses,
               array_agg(r.message_id ORDER BY r.ord) AS names
          INTO a
          FROM lanes.settle_sms(
              p_lane => v_lane, p_ids => d.ids, p_attempts => d.attempts, p_outcomes => d.outcomes,
              p_message_ids => d.message_ids, p_costs => d.costs, p_currencies => d.currencies, p_parts => d.parts,
              p_expected_parts => d.expected_parts, p_encodings => d.encodings, p_texts => d.texts,
              p_error_codes => d.error_codes, p_error_messages => d.error_messages, p_retry_ms => d.retry_ms
          ) AS r;
        FOR i IN 1 .. cardinality(d.items) LOOP
            v_results[d.items[i]] := a.results[i];
            v_statuses[d.items[i]] := a.statuses[i];
            v_names[d.items[i]] := CASE WHEN a.results[i] <> 'ignored' THEN a.names[i] END;
        END LOOP;
    END LOOP;

    -- ---- 2. Reports that came before them ----

    PERFORM lanes.note_message_ids(
        p_message_ids => ARRAY(SELECT CASE WHEN v_results[i] <> 'ignored' THEN p_message_ids[i] END FROM generate_series(1, n) AS i),
        p_ids => p_ids, p_lanes => v_lanes
    );
    v_reported := lanes.reported_of(v_names);
    v_changed := ARRAY(SELECT i FROM generate_series(1, n) AS i WHERE v_names[i] = ANY (v_reported));
    PERFORM lanes.fold_delivery(
        p_ids => ARRAY(SELECT p_ids[i] FROM unnest(v_changed) AS i), p_lanes => ARRAY(SELECT v_lanes[i] FROM unnest(v_changed) AS i)
    );

    -- ---- 3. Answers that come after the next attempt has begun ----

    FOR v_lane IN
        SELECT DISTINCT v_lanes[i]
          FROM generate_series(1, n) AS i
         WHERE v_results[i] = 'ignored' AND p_outcomes[i] = 'accepted' AND v_lanes[i] IS NOT NULL
         ORDER BY 1
    LOOP
        SELECT array_agg(i ORDER BY i) AS items, array_agg(p_ids[i] ORDER BY i) AS ids,
               array_agg(p_attempts[i] ORDER BY i) AS attempts, array_agg(p_outcomes[i] ORDER BY i) AS outcomes,
               array_agg(p_message_ids[i] ORDER BY i) AS message_ids, array_agg(p_costs[i] ORDER BY i) AS costs,
               array_agg(p_currencies[i] ORDER BY i) AS currencies, array_agg(p_parts[i] ORDER BY i) AS parts
          INTO d
          FROM generate_series(1, n) AS i
         WHERE v_lanes[i] = v_lane AND v_results[i] = 'ignored' AND p_outcomes[i] = 'accepted';
        SELECT r.late
          INTO v_late
          FROM lanes.settle_late_sms(
              p_lane => v_lane, p_now => v_now, p_ids => d.ids, p_attempts => d.attempts, p_outcomes => d.outcomes,
              p_message_ids => d.message_ids, p_costs => d.costs, p_currencies => d.currencies, p_parts => d.parts
          ) AS r (late);
        v_after := v_after || ARRAY(SELECT d.items[i] FROM unnest(v_late) AS i);
    END LOOP;
    IF v_after IS NOT NULL THEN
        v_results := ARRAY(SELECT CASE WHEN i = ANY (v_after) THEN 'late' ELSE v_results[i] END FROM generate_series(1, n) AS i);
        PERFORM lanes.note_message_ids(
            p_message_ids => ARRAY(SELECT p_message_ids[i] FROM unnest(v_after) AS i),
            p_ids => ARRAY(SELECT p_ids[i] FROM unnest(v_after) AS i), p_lanes => ARRAY(SELECT v_lanes[i] FROM unnest(v_after) AS i)
        );
        PERFORM lanes.fold_delivery(
            p_ids => ARRAY(SELECT p_ids[i] FROM unnest(v_after) AS i), p_lanes => ARRAY(SELECT v_lanes[i] FROM unnest(v_after) AS i)
        );
        v_changed := v_changed || v_after;
    END IF;
    IF cardinality(v_changed) > 0 THEN
        v_known := ARRAY(SELECT p_ids[i] FROM unnest(v_changed) AS i);
        v_places := ARRAY(SELECT v_lanes[i] FROM unnest(v_changed) AS i);
        SELECT array_agg(s.id) AS ids, array_agg(s.status::text) AS statuses
          INTO a
          FROM services.sms_logs s
         WHERE s.lane = ANY (v_places) AND s.id = ANY (v_known);
        v_statuses := ARRAY(
            SELECT coalesce(k.status, v_statuses[i])
              FROM generate_series(1, n) AS i
              LEFT JOIN unnest(a.ids, a.statuses) AS k (id, status) ON k.id = p_ids[i]
             ORDER BY i
        );
    END IF;

    -- ---- 4. The answer, and the day's spending ----

    RETURN QUERY SELECT i, v_results[i], v_statuses[i] FROM generate_series(1, n) AS i;
    PERFORM services.add_sms_spend(
        p_at => v_now, p_currencies => array_agg(p_currencies[i]),
        p_messages => array_agg(CASE WHEN p_outcomes[i] = 'accepted' THEN 1 ELSE 0 END),
        p_parts => array_agg(CASE WHEN p_outcomes[i] = 'accepted' THEN p_parts[i] END),
        p_costs => array_agg(CASE WHEN p_outcomes[i] <> 'unknown' THEN p_costs[i] END)
    )
       FROM generate_series(1, n) AS i
      WHERE v_results[i] <> 'ignored';
END
$$;
