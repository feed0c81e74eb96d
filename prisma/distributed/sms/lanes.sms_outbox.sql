-- What waits in the outbox, over all lanes. Each count stops at p_most.
CREATE OR REPLACE FUNCTION lanes.sms_outbox(p_most integer)
RETURNS TABLE (queued integer, sending integer, unknown integer, oldest_ms bigint, oldest_unimportant_ms bigint)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    v_now    constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    v_oldest timestamp;
    v_other  timestamp;
BEGIN
    SELECT count(*)::integer INTO queued FROM (SELECT 1 FROM services.sms_logs l WHERE l.phase = 'QUEUED' LIMIT p_most) x;
    SELECT count(*)::integer INTO sending FROM (SELECT 1 FROM services.sms_logs l WHERE l.phase = 'SENDING' LIMIT p_most) x;
    SELECT count(*)::integer INTO unknown FROM (SELECT 1 FROM services.sms_logs l WHERE l.phase = 'UNKNOWN' LIMIT p_most) x;
    SELECT min(l.next_attempt_at) INTO v_oldest FROM services.sms_logs l WHERE l.phase = 'QUEUED' AND l.priority = 0;
    SELECT min(l.next_attempt_at) INTO v_other FROM services.sms_logs l WHERE l.phase = 'QUEUED' AND l.priority = 1;
    IF v_oldest <= v_now THEN
        oldest_ms := ceil(extract(epoch FROM v_now - v_oldest) * 1000);
    END IF;
    IF v_other <= v_now THEN
        oldest_unimportant_ms := ceil(extract(epoch FROM v_now - v_other) * 1000);
    END IF;
    RETURN NEXT;
END
$$;
