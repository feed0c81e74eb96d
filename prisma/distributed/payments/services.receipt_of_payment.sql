-- services.receipt_of_payment of a distributed database: the deposits of the wallet first, which lie in its lane, then what
-- M-PESA said of them, then the other payments. Each is one question to one table.
CREATE OR REPLACE FUNCTION services.receipt_of_payment(p_id uuid)
RETURNS text
LANGUAGE plpgsql
STABLE
AS $$
DECLARE
    p          services.mpesa_payments;
    v_lane     smallint;
    v_receipts text[];
    v_taken    text[];
BEGIN
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id;
    v_lane := core.lane_of(p.wallet_id);
    v_receipts := ARRAY(
        SELECT t.reference::text
          FROM core.transactions t
         WHERE t.lane = v_lane AND t.credit_wallet_id = p.wallet_id AND t.type = 'DEPOSIT' AND t.amount = p.amount
           AND t.created_at >= p.created_at
    );
    v_receipts := ARRAY(
        SELECT l.mpesa_receipt::text
          FROM lanes.logs_of(v_receipts) l
         WHERE l.short_code = p.short_code
           AND l.paid_at BETWEEN p.created_at - interval '2 minutes' AND p.created_at + interval '1 hour'
           AND services.may_be_phone(p_phone => p.phone, p_told => l.phone, p_hash => l.phone_hash)
    );
    v_taken := ARRAY(SELECT o.receipt::text FROM services.mpesa_payments o WHERE o.receipt = ANY (v_receipts));
    v_receipts := ARRAY(SELECT r.receipt FROM unnest(v_receipts) AS r (receipt) WHERE r.receipt <> ALL (v_taken));
    IF cardinality(v_receipts) = 1 AND NOT EXISTS (
        SELECT FROM services.mpesa_payments o
         WHERE o.wallet_id = p.wallet_id AND o.amount = p.amount AND o.id <> p.id AND o.receipt IS NULL
           AND o.status IN ('REQUESTED', 'PENDING', 'UNKNOWN')
           AND o.created_at BETWEEN p.created_at - interval '1 hour' AND p.created_at + interval '1 hour'
    ) THEN
        RETURN v_receipts[1];
    END IF;
    RETURN NULL;
END
$$;
