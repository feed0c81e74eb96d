-- The payments that a message with this receipt contradicted, for services.refresh_flags.
CREATE OR REPLACE FUNCTION services.contradicted_payments(p_receipt text)
RETURNS uuid[]
LANGUAGE sql
STABLE
AS $$
    SELECT array_agg(DISTINCT e.payment_id)
      FROM services.mpesa_payment_events e
     WHERE e.receipt = p_receipt AND e.kind IN ('CONFLICT', 'UNPROVEN')
$$;
