-- Locks what is recorded of receipts, in their order, until the caller commits: what two messages say about one receipt is compared
-- one after the other. Receipts come after wallets and before payments.
CREATE OR REPLACE FUNCTION services.lock_receipts(p_receipts text[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    PERFORM FROM services.mpesa_logs l
      WHERE l.mpesa_receipt = ANY (p_receipts)
      ORDER BY l.mpesa_receipt
        FOR NO KEY UPDATE;
END
$$;
