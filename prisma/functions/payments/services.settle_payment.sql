-- A receipt of a payment was recorded; this says what that means for the payment. For services.record_payments.
--
-- p_outcome, p_original: of services.record_deposits. The first receipt settles the payment, whatever was thought
-- of it. What does not agree with what we asked for moves no money and is flagged:
--   SECOND_RECEIPT    it had a receipt before: this is a second deposit
--   OTHER_PAYMENT     another payment of ours has this receipt
--   OTHER_WALLET      the receipt was credited to another wallet before, or a message named another one
--                     (services.flag_other_wallets)
--   CONFLICT          the receipt is recorded with another amount or short code
CREATE OR REPLACE FUNCTION services.settle_payment(
    p_id uuid, p_receipt text, p_outcome text, p_original text,
    p_merchant_request_id text, p_checkout_request_id text
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    p           services.mpesa_payments;
    v_is_moved  boolean := p_outcome <> 'refused' AND p_outcome <> 'conflict';
    v_must_move boolean := v_is_moved AND p_outcome = 'duplicate' AND p_original = 'suspense';
BEGIN
    -- Receipts before payments, as services.flag_other_wallets takes them.
    PERFORM services.lock_receipts(ARRAY[p_receipt]);
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
    PERFORM services.name_payment(
        p_id => p_id, p_merchant_request_id => p_merchant_request_id, p_checkout_request_id => p_checkout_request_id
    );
    IF p.id IS NULL OR p.receipt = p_receipt THEN
        RETURN;
    END IF;
    IF NOT v_is_moved THEN
        PERFORM services.change_payment(p_id => p_id, p_status => 'UNKNOWN', p_reason => p_outcome);
        PERFORM services.flag_payment(
            p_id => p_id, p_kind => upper(p_outcome), p_reason => NULL, p_receipt => p_receipt
        );
    ELSIF EXISTS (SELECT FROM services.mpesa_payments o WHERE o.receipt = p_receipt) THEN
        PERFORM services.flag_payment(p_id => p_id, p_kind => 'OTHER_PAYMENT', p_reason => NULL, p_receipt => p_receipt);
    ELSIF p.receipt IS NOT NULL THEN
        PERFORM services.flag_payment(p_id => p_id, p_kind => 'SECOND_RECEIPT', p_reason => NULL, p_receipt => p_receipt);
    ELSE
        PERFORM services.change_payment(
            p_id => p_id, p_status => 'PAID', p_result_code => '0', p_receipt => p_receipt,
            p_reason => CASE WHEN 'held' IN (p_outcome, p_original) THEN 'held' END,
            p_due_ms => CASE WHEN v_must_move THEN 0 END
        );
        PERFORM services.note_payment(
            p_id => p_id, p_kind => 'PAID', p_reason => CASE WHEN p.status = 'FAILED' THEN 'late' END,
            p_result_code => '0', p_receipt => p_receipt
        );
    END IF;
    IF v_is_moved THEN
        PERFORM services.flag_other_wallets(ARRAY[p_receipt]);
    END IF;
END
$$;
