-- What M-PESA answered when it was asked to prompt a customer's phone.
--
-- p_answer: ACCEPTED  the prompt is on its way
--           REFUSED   it is not, and would not be the next time
--           RETRY     it is not, and may be later: again after p_due_ms, or FAILED when that is NULL
--           LOST      nobody knows: UNKNOWN, and never sent again
-- p_attempt: which attempt it answers. The answer to an attempt that is not the latest one changes no status.
CREATE OR REPLACE FUNCTION services.note_payment_answer(
    p_id uuid, p_attempt integer, p_answer text, p_reason text, p_result_code text,
    p_merchant_request_id text, p_checkout_request_id text, p_due_ms integer
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p services.mpesa_payments;
BEGIN
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
    IF p.id IS NULL THEN
        RETURN;
    END IF;
    IF p_answer = 'ACCEPTED' THEN
        PERFORM services.name_payment(
            p_id => p_id, p_merchant_request_id => p_merchant_request_id, p_checkout_request_id => p_checkout_request_id
        );
        PERFORM services.change_payment(p_id => p_id, p_status => 'PENDING', p_due_ms => p_due_ms);
    ELSIF p.attempts <> p_attempt OR p.status NOT IN ('REQUESTED', 'UNKNOWN') OR p.checkout_request_id IS NOT NULL THEN
        NULL;
    ELSIF p_answer = 'LOST' THEN
        PERFORM services.change_payment(p_id => p_id, p_status => 'UNKNOWN', p_reason => p_reason);
    ELSIF p_answer = 'RETRY' AND p_due_ms IS NOT NULL THEN
        PERFORM services.change_payment(
            p_id => p_id, p_status => 'REQUESTED', p_reason => p_reason, p_result_code => p_result_code, p_due_ms => p_due_ms
        );
    ELSE
        PERFORM services.change_payment(
            p_id => p_id, p_status => 'FAILED', p_reason => p_reason, p_result_code => p_result_code
        );
    END IF;
    PERFORM services.note_payment(p_id => p_id, p_kind => p_answer, p_reason => p_reason, p_result_code => p_result_code);
END
$$;
