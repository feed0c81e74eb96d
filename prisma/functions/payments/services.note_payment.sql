-- Writes down what happened to a payment. For the functions about payments, which hold its lock and have changed it.
CREATE OR REPLACE FUNCTION services.note_payment(
    p_id uuid, p_kind text, p_reason text DEFAULT NULL, p_result_code text DEFAULT NULL, p_receipt text DEFAULT NULL
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_payment_events (payment_id, place, kind, status, reason, result_code, receipt)
    SELECT p.id, (SELECT count(*) + 1 FROM services.mpesa_payment_events e WHERE e.payment_id = p_id), p_kind, p.status, p_reason, p_result_code, p_receipt FROM services.mpesa_payments p WHERE p.id = p_id;
    PERFORM set_config('daftari.door', '', true);
END
$$;
