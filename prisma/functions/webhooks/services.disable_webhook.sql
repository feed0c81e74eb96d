-- Ends an endpoint: no event is queued for it any more, and what waits for it is not sent. It stays on record.
--
-- p_reason: by_person, or gone where the endpoint answered that it is.
-- After: whether there is such an endpoint. One that was disabled before stays as it was.
CREATE OR REPLACE FUNCTION services.disable_webhook(p_id uuid, p_by text, p_reason text)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.webhooks w
       SET status = 'DISABLED', secret = NULL, disabled_by = p_by, disabled_for = p_reason,
           disabled_at = clock_timestamp() AT TIME ZONE 'UTC'
     WHERE w.id = p_id AND w.status = 'ACTIVE';
    PERFORM set_config('daftari.door', '', true);
    RETURN EXISTS (SELECT FROM services.webhooks w WHERE w.id = p_id);
END
$$;
