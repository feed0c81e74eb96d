-- Moves a payment to another status, by the one rule for all: PAID never changes; FAILED becomes PAID only, for a receipt
-- may come late; anything else may become anything. For the functions about payments, which hold its lock.
--
-- p_due_ms: when something is to be done about it, counted from now; NULL when nothing is.
-- After: whether the rule allowed it; if not, nothing has changed.
CREATE OR REPLACE FUNCTION services.change_payment(
    p_id uuid, p_status text, p_reason text DEFAULT NULL, p_result_code text DEFAULT NULL, p_receipt text DEFAULT NULL,
    p_due_ms integer DEFAULT NULL
)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_now     constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    v_changed boolean;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_payments p
       SET status = p_status, reason = p_reason, result_code = coalesce(p_result_code, p.result_code),
           receipt = coalesce(p.receipt, p_receipt), is_sending = false, updated_at = v_now,
           due_at = v_now + p_due_ms * interval '1 millisecond'
     WHERE p.id = p_id AND (p.status NOT IN ('PAID', 'FAILED') OR p.status = 'FAILED' AND p_status = 'PAID');
    v_changed := FOUND;
    IF v_changed AND p_status IN ('PAID', 'FAILED') THEN
        PERFORM services.queue_payment_webhook(p_id => p_id);
    END IF;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_changed;
END
$$;
