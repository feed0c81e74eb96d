-- M-PESA reports that a payment will not be paid. The report is kept in the inbox as NOTED. A payment that is paid stays so.
--
-- After: the status of the payment.
CREATE OR REPLACE FUNCTION services.record_payment_failure(
    p_id uuid, p_kind text, p_source text, p_body bytea, p_reason text, p_result_code text,
    p_merchant_request_id text, p_checkout_request_id text
)
RETURNS text
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_status text;
BEGIN
    PERFORM FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
    PERFORM services.store_callback(
        p_kind => p_kind, p_receipt => NULL, p_outcome => 'NOTED', p_error => p_reason, p_source => p_source, p_body => p_body
    );
    PERFORM services.name_payment(
        p_id => p_id, p_merchant_request_id => p_merchant_request_id, p_checkout_request_id => p_checkout_request_id
    );
    IF services.change_payment(
        p_id => p_id, p_status => 'FAILED', p_reason => p_reason, p_result_code => p_result_code
    ) THEN
        PERFORM services.note_payment(
            p_id => p_id, p_kind => 'FAILED', p_reason => p_reason, p_result_code => p_result_code
        );
    END IF;
    SELECT x.status INTO v_status FROM services.mpesa_payments x WHERE x.id = p_id;
    RETURN v_status;
END
$$;
