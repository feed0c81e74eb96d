-- Queues a message of a caller: one that is about no wallet, whose lane comes of its id, so that the repeat of a key finds it.
--
-- After: one row; none where the id is taken.
CREATE OR REPLACE FUNCTION lanes.queue_sms(
    p_recipient text, p_hash text, p_is_masked boolean, p_message text, p_template text, p_language text,
    p_priority smallint, p_reference text, p_id uuid, p_digest text
)
RETURNS TABLE (id uuid, status text)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    v_lane smallint;
BEGIN
    id := coalesce(p_id, core.new_id());
    status := CASE WHEN p_is_masked THEN 'FAILED' ELSE 'PENDING' END;
    v_lane := core.lane_of(id::text);
    INSERT INTO services.sms_logs (
        lane, id, recipient, recipient_hash, status, phase, error_code, error_message,
        message, template, language, priority, transaction_reference, request_digest
    )
    VALUES (
        v_lane, id, coalesce(core.normalize_phone(p_recipient), ltrim(p_recipient, '+')), p_hash, status,
        CASE WHEN p_is_masked THEN 'DONE' ELSE 'QUEUED' END,
        CASE WHEN p_is_masked THEN 'masked_number' END,
        CASE WHEN p_is_masked
             THEN 'The number came masked: nothing can be sent to it, now or later. Ask the payer for the number.' END,
        p_message, p_template, p_language, p_priority, p_reference, p_digest
    )
    ON CONFLICT (id, lane) DO NOTHING;
    IF FOUND THEN
        PERFORM pg_notify('daftari_sms', '');
        RETURN NEXT;
    END IF;
END
$$;
