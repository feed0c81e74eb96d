-- Keeps what M-PESA calls a payment, the first time that it is told. For the functions about payments.
CREATE OR REPLACE FUNCTION services.name_payment(p_id uuid, p_merchant_request_id text, p_checkout_request_id text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_payments p
       SET merchant_request_id = p_merchant_request_id, checkout_request_id = p_checkout_request_id
     WHERE p.id = p_id AND p.checkout_request_id IS NULL AND p_checkout_request_id IS NOT NULL;
    PERFORM set_config('daftari.door', '', true);
END
$$;
