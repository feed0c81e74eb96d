-- Keeps the report of a payment that proves nothing: one for a checkout that nobody asked for, or that contradicts what was
-- asked for. It is QUARANTINED in the inbox and credits nobody; an inquiry about its receipt is opened, once.
--
-- p_payment: the payment that it contradicts, if there is one. p_due_ms: when M-PESA is to be asked; NULL for never.
CREATE OR REPLACE FUNCTION services.record_unproven(
    p_payment uuid, p_kind text, p_receipt text, p_reason text, p_phone text, p_source text, p_body bytea, p_due_ms integer
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM services.mpesa_payments x WHERE x.id = p_payment FOR UPDATE;
    PERFORM services.store_callback(
        p_kind => p_kind, p_receipt => p_receipt, p_outcome => 'QUARANTINED', p_error => p_reason, p_source => p_source,
        p_body => p_body
    );
    IF p_payment IS NOT NULL THEN
        PERFORM services.flag_payment(
            p_id => p_payment, p_kind => 'UNPROVEN', p_reason => p_reason, p_receipt => p_receipt
        );
    END IF;
    IF p_receipt IS NOT NULL AND NOT EXISTS (SELECT FROM core.transactions t WHERE t.reference = p_receipt) THEN
        PERFORM set_config('daftari.door', 'open', true);
        INSERT INTO services.mpesa_inquiries (receipt, payment_id, phone, due_at)
        VALUES (
            p_receipt, p_payment, p_phone,
            (clock_timestamp() AT TIME ZONE 'UTC') + p_due_ms * interval '1 millisecond'
        )
        ON CONFLICT (receipt) DO NOTHING;
        PERFORM set_config('daftari.door', '', true);
    END IF;
END
$$;
