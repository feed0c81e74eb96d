-- A payment came into suspense, and its payer could not be told, because their number came masked. It is assigned shortly
-- afterwards, as the money of a till is when the callback of its request comes: the message that waits for a number becomes the
-- one about the assignment, so that each payment has one message. For services.tell_of_transaction.
--
-- After: whether there was such a message. Of older ones the record stays that nobody was told.
CREATE OR REPLACE FUNCTION services.retell_masked(p_assignment core.transactions)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now  constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_id   uuid;
    v_door text;
    v_done boolean;
BEGIN
    SELECT l.id INTO v_id
      FROM services.sms_logs l
     WHERE l.transaction_reference = regexp_replace(p_assignment.reference, '^AS[0-9]*-', '')
       AND l.template = 'deposit_suspense' AND l.error_code = 'masked_number' AND l.attempts = 0
       AND l.created_at > v_now - interval '1 hour';
    IF v_id IS NULL THEN
        RETURN false;
    END IF;
    v_door := coalesce(current_setting('daftari.door', true), '');
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.sms_logs l
       SET recipient = w.phone, recipient_hash = NULL, template = 'suspense_assigned', language = w.language, lane = w.lane,
           transaction_reference = p_assignment.reference, status = 'PENDING', phase = 'QUEUED',
           error_code = NULL, error_message = NULL, settled_at = NULL, next_attempt_at = v_now,
           message = services.sms_text(
               p_formats => m.formats, p_language => w.language, p_reference => p_assignment.reference,
               p_amount => p_assignment.amount, p_currency => p_assignment.currency, p_wallet => w.id,
               p_name => core.account_of(p_assignment.debit_wallet_id), p_balance => p_assignment.credit_balance_after
           )
      FROM core.wallets w
      LEFT JOIN services.sms_templates m ON m.key = 'suspense_assigned' AND m.language = w.language
     WHERE l.id = v_id AND w.id = p_assignment.credit_wallet_id AND w.phone IS NOT NULL;
    v_done := FOUND;
    PERFORM set_config('daftari.door', v_door, true);
    RETURN v_done;
END
$$;
