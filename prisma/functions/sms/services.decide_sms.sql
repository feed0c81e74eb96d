-- Records a person's decision on a message of unknown outcome.
--
-- p_decision: sent (with the provider's id and the cost where its own books have them), send_again, or failed.
-- After: NULL and it is done; or why it was not: unknown_sms, or nothing_to_decide when the outcome is known by now.
CREATE OR REPLACE FUNCTION services.decide_sms(
    p_id uuid, p_decision text, p_by text, p_note text, p_message_id text, p_cost numeric, p_currency text,
    p_parts integer
)
RETURNS text
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    l     services.sms_logs;
BEGIN
    IF p_decision IS NULL OR p_decision NOT IN ('sent', 'send_again', 'failed') THEN
        RAISE EXCEPTION 'a decision is sent, send_again or failed' USING ERRCODE = '22023';
    END IF;
    IF p_decision <> 'sent' THEN
        p_message_id := NULL; p_cost := NULL;
    END IF;
    PERFORM services.lock_message_ids(p_message_ids => ARRAY[p_message_id], p_exclusive => false);
    SELECT * INTO l FROM services.sms_logs s WHERE s.id = p_id FOR NO KEY UPDATE;
    IF l.id IS NULL THEN
        RETURN 'unknown_sms';
    ELSIF l.phase <> 'UNKNOWN' THEN
        RETURN 'nothing_to_decide';
    END IF;

    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.sms_logs s
       SET phase = CASE p_decision WHEN 'send_again' THEN 'QUEUED' ELSE 'DONE' END,
           status = CASE p_decision WHEN 'sent' THEN 'SENT' WHEN 'failed' THEN 'FAILED' ELSE 'PENDING' END,
           next_attempt_at = CASE p_decision WHEN 'send_again' THEN v_now ELSE s.next_attempt_at END,
           provider_message_id = coalesce(p_message_id, s.provider_message_id),
           -- Who knows the cost has the provider's answer; another one would be booked twice.
           answered_at = CASE WHEN p_cost IS NOT NULL THEN v_now END,
           cost = CASE WHEN p_cost IS NOT NULL THEN coalesce(s.cost, 0) + round(p_cost, 4) ELSE s.cost END,
           currency = CASE WHEN p_cost IS NOT NULL THEN p_currency ELSE s.currency END,
           parts = CASE WHEN p_cost IS NOT NULL THEN coalesce(s.parts + p_parts, p_parts, s.parts) ELSE s.parts END,
           sent_at = CASE p_decision WHEN 'sent' THEN s.claimed_at END,
           settled_at = CASE p_decision WHEN 'send_again' THEN NULL ELSE v_now END,
           error_code = CASE p_decision WHEN 'failed' THEN 'given_up' WHEN 'send_again' THEN s.error_code END,
           error_message = CASE p_decision
               WHEN 'failed' THEN 'A person has decided that it was not sent and need not be.'
               WHEN 'send_again' THEN s.error_message
           END,
           decided_by = p_by, decided_at = v_now, decision_note = p_note
     WHERE s.id = p_id;
    INSERT INTO services.sms_events (sms_id, kind, attempt, actor, detail)
    VALUES (p_id, 'DECIDED', l.attempts, p_by, p_decision || ': ' || p_note);
    PERFORM set_config('daftari.door', '', true);
    IF p_message_id IS NOT NULL THEN
        PERFORM services.fold_delivery(ARRAY[p_id]);
    END IF;
    IF p_decision = 'send_again' THEN
        PERFORM pg_notify('daftari_sms', '');
    END IF;
    PERFORM services.add_sms_spend(
        p_at => v_now, p_currencies => ARRAY[p_currency], p_messages => ARRAY[1], p_parts => ARRAY[p_parts],
        p_costs => ARRAY[p_cost]
    );
    RETURN NULL;
END
$$;
