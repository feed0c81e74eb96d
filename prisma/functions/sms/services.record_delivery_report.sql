-- Stores a delivery report as received and folds it into its message.
--
-- Before: nothing is locked; the caller's transaction is READ COMMITTED.
-- After:  one row in services.sms_delivery_reports, with the message that it is about, if there is one. outcome:
--   APPLIED      the message's delivery state is this report's
--   STALE        it knew as much or more
--   PARKED       no message has this id; the report joins when one gets it
--   MISMATCHED   the message with this id went to another number
--   AMBIGUOUS    several messages have this id, and the report does not say which number it is about
--   QUARANTINED  no id or no status could be read
--
-- p_state: what the report means in our words, those of services.delivery_rank.
-- p_status, p_reason: the provider's own words. p_explanation: the reason in a sentence of ours.
CREATE OR REPLACE FUNCTION services.record_delivery_report(
    p_provider text, p_message_id text, p_state text, p_status text, p_reason text, p_explanation text, p_network text,
    p_retry_count integer, p_phone text, p_body bytea
)
RETURNS TABLE (id uuid, outcome text, sms_id uuid)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v_message_id constant text := nullif(left(btrim(p_message_id), 255), '');
    v_status     constant text := nullif(left(btrim(p_status), 50), '');
    v_reason     constant text := nullif(left(btrim(p_reason), 100), '');
    v_digits     constant text := regexp_replace(p_phone, '[[:space:]-]', '', 'g');
    -- A masked number says nothing.
    v_phone      constant text := coalesce(core.normalize_phone(v_digits), substring(v_digits FROM '^\+?([0-9]{3,15})$'));
    v_ids        uuid[];
    v_candidates bigint;
    l            services.sms_logs;
BEGIN
    id := core.new_id();
    IF v_message_id IS NULL OR v_status IS NULL OR p_state IS NULL THEN
        outcome := 'QUARANTINED';
    ELSE
        PERFORM services.lock_message_ids(p_message_ids => ARRAY[v_message_id], p_exclusive => true);
        SELECT count(*),
               array_agg(s.id) FILTER (WHERE v_phone IS NULL OR s.recipient IS NULL OR s.recipient = v_phone)
          INTO v_candidates, v_ids
          FROM services.sms_logs s
         WHERE s.provider_message_id = v_message_id AND s.provider = p_provider;
        IF array_length(v_ids, 1) = 1 THEN
            SELECT s.* INTO l
              FROM services.sms_logs s
             WHERE s.id = v_ids[1] AND s.provider_message_id = v_message_id
               FOR NO KEY UPDATE;
        END IF;
        sms_id := l.id;
        outcome := CASE
            WHEN l.id IS NULL AND v_candidates = 0 THEN 'PARKED'
            WHEN v_ids IS NULL THEN 'MISMATCHED'
            WHEN array_length(v_ids, 1) > 1 THEN 'AMBIGUOUS'
            -- It has gone out again under another id while we waited for it.
            WHEN l.id IS NULL THEN 'PARKED'
            WHEN l.delivery_state IS NULL
                 OR (services.delivery_rank(p_state), v_status COLLATE "C", coalesce(v_reason, '') COLLATE "C")
                    > (
                        services.delivery_rank(l.delivery_state), l.delivery_status COLLATE "C",
                        coalesce(l.delivery_reason, '') COLLATE "C"
                    )
                THEN 'APPLIED'
            ELSE 'STALE'
        END;
    END IF;

    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_delivery_reports (
        id, provider, provider_message_id, state, status, reason, explanation, network, retry_count, phone, sms_id,
        outcome, body, received_at
    )
    VALUES (
        id, p_provider, v_message_id, p_state, v_status, v_reason, nullif(left(btrim(p_explanation), 200), ''),
        nullif(left(btrim(p_network), 20), ''), p_retry_count, v_phone, sms_id, outcome, p_body,
        clock_timestamp() AT TIME ZONE 'UTC'
    );
    PERFORM set_config('daftari.door', '', true);
    -- A report that changes nothing else may still name the network.
    IF outcome IN ('APPLIED', 'STALE') THEN
        PERFORM services.fold_delivery(ARRAY[l.id]);
    END IF;
    RETURN NEXT;
END
$$;
