-- What M-PESA answered when it was asked what became of a payment. The answer names no receipt and no amount, so it
-- credits nothing.
--
-- p_verdict: FAILED     it will not be paid, as far as M-PESA knows now
--            CONFIRMED  it was paid: PAID where exactly one deposit can be it, otherwise we wait for the receipt
--            OPEN       nothing is decided, or nobody answered
-- p_due_ms: when to ask again; NULL at the end, when the payment becomes UNKNOWN.
CREATE OR REPLACE FUNCTION services.note_payment_query(
    p_id uuid, p_verdict text, p_reason text, p_result_code text, p_due_ms integer
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p         services.mpesa_payments;
    v_receipt text;
BEGIN
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
    IF p.id IS NULL OR p.status IN ('PAID', 'FAILED') THEN
        RETURN;
    END IF;
    IF p_verdict = 'FAILED' THEN
        PERFORM services.change_payment(
            p_id => p_id, p_status => 'FAILED', p_reason => p_reason, p_result_code => p_result_code
        );
        PERFORM services.note_payment(
            p_id => p_id, p_kind => 'FAILED', p_reason => p_reason, p_result_code => p_result_code
        );
        RETURN;
    END IF;
    IF p_verdict = 'CONFIRMED' THEN
        v_receipt := services.receipt_of_payment(p_id);
        IF v_receipt IS NOT NULL THEN
            PERFORM services.change_payment(
                p_id => p_id, p_status => 'PAID', p_result_code => p_result_code, p_receipt => v_receipt
            );
            PERFORM services.note_payment(
                p_id => p_id, p_kind => 'PAID', p_reason => 'matched', p_result_code => p_result_code,
                p_receipt => v_receipt
            );
            PERFORM services.flag_other_wallets(ARRAY[v_receipt]);
            RETURN;
        END IF;
    END IF;
    PERFORM services.change_payment(
        p_id => p_id, p_status => CASE WHEN p_due_ms IS NULL THEN 'UNKNOWN' ELSE p.status END,
        p_reason => CASE
            WHEN p_verdict = 'CONFIRMED' THEN 'paid_without_receipt'
            WHEN p_due_ms IS NULL THEN 'no_result'
            ELSE p.reason
        END,
        p_result_code => p_result_code, p_due_ms => p_due_ms
    );
    -- Of many questions without an answer the first and the last are enough.
    IF p_due_ms IS NULL OR p.checks = 1 OR p_verdict = 'CONFIRMED' AND p.reason IS DISTINCT FROM 'paid_without_receipt' THEN
        PERFORM services.note_payment(
            p_id => p_id, p_kind => CASE WHEN p_due_ms IS NULL THEN 'UNKNOWN' ELSE 'ASKED' END,
            p_reason => CASE WHEN p_verdict = 'CONFIRMED' THEN 'paid_without_receipt' ELSE p_reason END,
            p_result_code => p_result_code
        );
    END IF;
END
$$;
