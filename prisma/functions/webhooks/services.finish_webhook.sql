-- What came of an attempt to deliver an event.
--
-- p_attempt: which one. That it was delivered counts whichever attempt says so; a failure counts for the latest only.
-- p_reason:  NULL when it was delivered, else why not: a code.
-- p_due_ms:  when to try again, counted from now; NULL when that is the end.
CREATE OR REPLACE FUNCTION services.finish_webhook(
    p_id uuid, p_attempt integer, p_status_code integer, p_reason text, p_due_ms integer
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.webhook_deliveries d
       SET status = CASE WHEN p_reason IS NULL THEN 'DELIVERED' WHEN p_due_ms IS NULL THEN 'FAILED' ELSE 'PENDING' END,
           status_code = p_status_code, reason = p_reason, updated_at = v_now,
           due_at = CASE WHEN p_reason IS NOT NULL THEN v_now + p_due_ms * interval '1 millisecond' END
     WHERE d.id = p_id AND d.status <> 'DELIVERED' AND (p_reason IS NULL OR d.attempts = p_attempt);
    PERFORM set_config('daftari.door', '', true);
END
$$;
