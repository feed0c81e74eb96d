-- services.contradicted_payments of a distributed database: in PL/pgSQL, because a query of an SQL function with a parameter
-- cannot be planned for many nodes.
CREATE OR REPLACE FUNCTION services.contradicted_payments(p_receipt text)
RETURNS uuid[]
LANGUAGE plpgsql
STABLE
AS $$
BEGIN
    RETURN ARRAY(
        SELECT DISTINCT e.payment_id
          FROM services.mpesa_payment_events e
         WHERE e.receipt = p_receipt AND e.kind IN ('CONFLICT', 'UNPROVEN')
    );
END
$$;
