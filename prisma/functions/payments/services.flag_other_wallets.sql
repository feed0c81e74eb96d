-- Flags OTHER_WALLET each payment of a receipt whose money went to another wallet than the one that it was asked for, or of which
-- a message names another one: the money stays where it is. For whatever records a witness or the receipt of a payment.
--
-- A payment is one of a receipt that settled it, that came second for it, or that it shares with another payment.
-- Locks: the receipts, so that a witness and a payment of one receipt that are recorded at the same moment see each other; then the
-- payments, in order of their ids.
CREATE OR REPLACE FUNCTION services.flag_other_wallets(p_receipts text[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = on
AS $$
DECLARE
    v_posted   text[];
    v_credited text[];
    v_flagged  record;
BEGIN
    PERFORM services.lock_receipts(p_receipts);
    SELECT array_agg(t.reference::text), array_agg(core.account_of(t.credit_wallet_id))
      INTO v_posted, v_credited
      FROM core.transactions t
     WHERE t.reference = ANY (p_receipts);
    FOR v_flagged IN
        SELECT p.id, r.receipt
          FROM (
            SELECT o.receipt, o.id FROM services.mpesa_payments o WHERE o.receipt = ANY (p_receipts)
             UNION
            SELECT e.receipt, e.payment_id
              FROM services.mpesa_payment_events e
             WHERE e.receipt = ANY (p_receipts) AND e.kind IN ('SECOND_RECEIPT', 'OTHER_PAYMENT')
          ) r
          JOIN services.mpesa_payments p ON p.id = r.id
         WHERE EXISTS (
             SELECT FROM services.mpesa_witnesses w WHERE w.receipt = r.receipt AND w.wallet_id <> p.wallet_id
         ) OR EXISTS (
             SELECT FROM unnest(v_posted, v_credited) AS t (receipt, wallet)
              WHERE t.receipt = r.receipt AND t.wallet NOT IN (p.wallet_id, 'SUSPENSE')
         )
         ORDER BY p.id, r.receipt
    LOOP
        PERFORM FROM services.mpesa_payments p WHERE p.id = v_flagged.id FOR UPDATE;
        PERFORM services.flag_payment(
            p_id => v_flagged.id, p_kind => 'OTHER_WALLET', p_reason => NULL, p_receipt => v_flagged.receipt
        );
    END LOOP;
END
$$;
