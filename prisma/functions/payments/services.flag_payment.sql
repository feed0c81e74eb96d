-- Marks a payment about which something contradicts something else, and writes down what. The same finding about the same
-- receipt is written once. For the functions about payments, which hold its lock.
CREATE OR REPLACE FUNCTION services.flag_payment(p_id uuid, p_kind text, p_reason text, p_receipt text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM services.mpesa_payment_events e
         WHERE e.payment_id = p_id AND e.kind = p_kind AND e.receipt IS NOT DISTINCT FROM p_receipt
    ) THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_payments p SET is_flagged = true, updated_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE p.id = p_id;
    PERFORM set_config('daftari.door', '', true);
    PERFORM services.note_payment(p_id => p_id, p_kind => p_kind, p_reason => p_reason, p_receipt => p_receipt);
END
$$;
