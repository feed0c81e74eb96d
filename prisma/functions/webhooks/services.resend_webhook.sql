-- A person has an event delivered again, as if it were new: its id and its content stay. One that is pending is sent at once.
--
-- After: outcome queued; refused with reason unknown_delivery or webhook_disabled.
CREATE OR REPLACE FUNCTION services.resend_webhook(p_id uuid, p_by text, OUT outcome text, OUT reason text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    d     services.webhook_deliveries;
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
BEGIN
    SELECT * INTO d FROM services.webhook_deliveries x WHERE x.id = p_id FOR UPDATE;
    reason := CASE
        WHEN d.id IS NULL THEN 'unknown_delivery'
        WHEN NOT EXISTS (SELECT FROM services.webhooks w WHERE w.id = d.webhook_id AND w.status = 'ACTIVE')
            THEN 'webhook_disabled'
    END;
    outcome := CASE WHEN reason IS NULL THEN 'queued' ELSE 'refused' END;
    IF reason IS NULL THEN
        PERFORM set_config('daftari.door', 'open', true);
        UPDATE services.webhook_deliveries x
           SET status = 'PENDING', attempts = 0, due_at = v_now, resent_by = p_by, resent_at = v_now, updated_at = v_now
         WHERE x.id = p_id;
        PERFORM set_config('daftari.door', '', true);
    END IF;
END
$$;
