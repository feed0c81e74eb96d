-- Queues the event that a payment which we asked for is paid or has failed. For services.change_payment, which holds its lock
-- and has changed it.
CREATE OR REPLACE FUNCTION services.queue_payment_webhook(p_id uuid)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_type text;
    v_data jsonb;
BEGIN
    IF NOT EXISTS (SELECT FROM services.webhooks w WHERE w.status = 'ACTIVE') THEN
        RETURN;
    END IF;
    SELECT 'payment.' || lower(p.status), jsonb_build_object(
               'payment', p.id, 'outcome', lower(p.status), 'amount', p.amount::text, 'currency', 'KES',
               'wallet', p.wallet_id, 'reference', p.reference, 'receipt', p.receipt, 'reason', p.reason,
               'shortCode', p.short_code, 'requestedAt', services.webhook_time(p.created_at),
               'recordedAt', services.webhook_time(p.updated_at)
           )
      INTO v_type, v_data
      FROM services.mpesa_payments p
     WHERE p.id = p_id;
    PERFORM services.queue_webhooks(p_types => ARRAY[v_type], p_data => ARRAY[v_data]);
END
$$;
