-- A payer whose number came masked could not be told that their payment waits in suspense. Now the whole number is known, and
-- they are told, once.
CREATE OR REPLACE FUNCTION services.tell_masked(p_receipt text, p_phone text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.sms_logs l
       SET recipient = p_phone, recipient_hash = NULL, status = 'PENDING', phase = 'QUEUED', error_code = NULL,
           error_message = NULL, settled_at = NULL, next_attempt_at = clock_timestamp() AT TIME ZONE 'UTC'
     WHERE l.transaction_reference = p_receipt AND l.template = 'deposit_suspense' AND l.error_code = 'masked_number'
       AND l.attempts = 0 AND l.created_at > (clock_timestamp() AT TIME ZONE 'UTC') - interval '1 hour';
    IF FOUND THEN
        PERFORM pg_notify('daftari_sms', '');
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$$;
