-- What a payment is at this moment, of its log and its transaction; either may be missing.
CREATE OR REPLACE FUNCTION lanes.deposit_outcome(p_log services.mpesa_logs, p_transaction core.transactions)
RETURNS text
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_last text;
BEGIN
    IF p_transaction.id IS NOT NULL THEN
        RETURN CASE WHEN core.account_of(p_transaction.credit_wallet_id) = 'SUSPENSE' THEN 'suspense' ELSE 'credited' END;
    END IF;
    SELECT d.decision INTO v_last
      FROM services.mpesa_decisions d
     WHERE d.receipt = p_log.mpesa_receipt AND d.decision IN ('RELEASED', 'REJECTED')
     ORDER BY d.id DESC
     LIMIT 1;
    RETURN CASE WHEN v_last = 'REJECTED' THEN 'rejected' WHEN p_log.outcome = 'HELD' THEN 'held' ELSE 'unposted' END;
END
$$;
