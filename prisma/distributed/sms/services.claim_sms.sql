-- services.claim_sms of a distributed database: the same arguments, the same answers, on whichever node it is called.
--
-- The longest due of all lanes say how many messages of each lane it is the turn of; those are claimed lane by lane, each by
-- lanes.claim_sms on the node that has it. All of it is one transaction, which the nodes commit together before a request leaves.
CREATE OR REPLACE FUNCTION services.claim_sms(
    p_sender text, p_provider text, p_limit integer, p_lease_ms integer, p_max_age_ms bigint, p_budget numeric,
    p_currency text
)
RETURNS TABLE (
    id uuid, attempt integer, recipient text, recipient_hash text, message text, template text, language text,
    priority integer, transaction_reference text, created_at timestamp,
    failed integer, paused boolean, warned boolean, spent numeric, next_due_ms bigint
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c_failures constant integer := 10000; -- in one call; a mountain of old news must not make one endless
    v_now      constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_left     integer := p_limit;
    v_failed   integer := 0;
    v_paused   boolean := false;
    v_spent    numeric;
    v_lanes    smallint[];
    v_counts   integer[]; -- how many of each lane may be claimed
    v_wanted   integer;
    v_lost     integer;
    v_is_wide  boolean;
    v_next     timestamp;
    v_later    timestamp;
    r          record;
BEGIN
    IF p_budget IS NOT NULL THEN
        SELECT s.cost INTO v_spent FROM services.sms_spend s WHERE s.day = services.eat_day(v_now) AND s.currency = p_currency;
        v_spent := coalesce(v_spent, 0);
        v_paused := v_spent >= p_budget;
    END IF;

    FOR v_priority IN 0 .. CASE WHEN v_paused THEN 0 ELSE 1 END LOOP
        v_is_wide := false;
        LOOP
            EXIT WHEN v_left = 0 OR v_failed >= c_failures;
            IF v_is_wide THEN
                v_lanes := ARRAY(SELECT generate_series(0, 15));
                v_counts := array_fill(v_left, ARRAY[16]);
            ELSE
                SELECT array_agg(c.lane ORDER BY c.lane), array_agg(c.count ORDER BY c.lane)
                  INTO v_lanes, v_counts
                  FROM (
                    SELECT d.lane, count(*)::integer AS count
                      FROM (
                        SELECT l.lane, l.next_attempt_at
                          FROM services.sms_logs l
                         WHERE l.phase = 'QUEUED' AND l.priority = v_priority AND l.next_attempt_at <= v_now
                         ORDER BY l.next_attempt_at
                         LIMIT v_left
                      ) d
                     GROUP BY d.lane
                  ) c;
            END IF;
            v_wanted := v_left;
            v_lost := 0;
            FOR i IN 1 .. coalesce(cardinality(v_lanes), 0) LOOP
                EXIT WHEN v_left = 0;
                FOR r IN
                    SELECT c.*
                      FROM lanes.claim_sms(
                          p_lane => v_lanes[i], p_priority => v_priority, p_sender => p_sender, p_provider => p_provider,
                          p_limit => least(v_counts[i], v_left), p_lease_ms => p_lease_ms, p_max_age_ms => p_max_age_ms,
                          p_budget => NULL::numeric, p_currency => p_currency
                      ) AS c
                LOOP
                    IF r.id IS NULL THEN
                        v_lost := v_lost + r.failed;
                        CONTINUE;
                    END IF;
                    id := r.id; attempt := r.attempt; recipient := r.recipient; recipient_hash := r.recipient_hash;
                    message := r.message; template := r.template; language := r.language; priority := r.priority;
                    transaction_reference := r.transaction_reference; created_at := r.created_at;
                    RETURN NEXT;
                    v_left := v_left - 1;
                END LOOP;
            END LOOP;
            v_failed := v_failed + v_lost;
            CONTINUE WHEN v_lost > 0;
            -- Where all that was due was seen, nothing more is. Otherwise others had locked some of it, and more is due behind that.
            EXIT WHEN v_is_wide OR (SELECT sum(c) FROM unnest(v_counts) AS c) IS DISTINCT FROM v_wanted;
            v_is_wide := true;
        END LOOP;
    END LOOP;

    id := NULL; attempt := NULL; recipient := NULL; recipient_hash := NULL; message := NULL; template := NULL;
    language := NULL; priority := NULL; transaction_reference := NULL; created_at := NULL;
    failed := v_failed; paused := v_paused; warned := coalesce(v_spent >= p_budget * 0.8, false); spent := v_spent;
    IF v_left = 0 OR v_failed >= c_failures THEN
        next_due_ms := 0;
    ELSE
        -- What is due now somebody else has just locked; the unimportant of a spent day waits for the next one.
        SELECT min(l.next_attempt_at)
          INTO v_next
          FROM services.sms_logs l
         WHERE l.phase = 'QUEUED' AND l.priority = 0 AND l.next_attempt_at > v_now;
        IF v_paused THEN
            SELECT min(l.next_attempt_at) INTO v_later FROM services.sms_logs l WHERE l.phase = 'QUEUED' AND l.priority = 1;
            IF v_later IS NOT NULL THEN
                v_later := greatest(v_later, (services.eat_day(v_now) + 1)::timestamp - interval '3 hours');
            END IF;
        ELSE
            SELECT min(l.next_attempt_at)
              INTO v_later
              FROM services.sms_logs l
             WHERE l.phase = 'QUEUED' AND l.priority = 1 AND l.next_attempt_at > v_now;
        END IF;
        next_due_ms := ceil(extract(epoch FROM least(v_next, v_later) - v_now) * 1000);
    END IF;
    RETURN NEXT;
END
$$;
