-- The receipt of the one deposit that can be a payment whose receipt we were not told, or NULL.
--
-- M-PESA said that it was paid. A deposit can be it when it went to the same wallet with the same amount to the same short
-- code, was paid from two minutes before the request (clocks differ) to an hour after it, its payer's number does not differ,
-- and no other payment has it. Where two deposits can be it, or another payment may as well have made it, nobody knows.
CREATE OR REPLACE FUNCTION services.receipt_of_payment(p_id uuid)
RETURNS text
LANGUAGE sql
STABLE
AS $$
    SELECT min(l.mpesa_receipt)
      FROM services.mpesa_payments p
      JOIN core.transactions t
        ON t.credit_wallet_id = p.wallet_id AND t.type = 'DEPOSIT' AND t.amount = p.amount
       AND t.created_at >= p.created_at
      JOIN services.mpesa_logs l ON l.mpesa_receipt = t.reference
     WHERE p.id = p_id
       AND l.short_code = p.short_code
       AND l.paid_at BETWEEN p.created_at - interval '2 minutes' AND p.created_at + interval '1 hour'
       AND services.may_be_phone(p_phone => p.phone, p_told => l.phone, p_hash => l.phone_hash)
       AND NOT EXISTS (SELECT FROM services.mpesa_payments o WHERE o.receipt = l.mpesa_receipt)
       AND NOT EXISTS (
           SELECT FROM services.mpesa_payments o
            WHERE o.wallet_id = p.wallet_id AND o.amount = p.amount AND o.id <> p.id AND o.receipt IS NULL
              AND o.status IN ('REQUESTED', 'PENDING', 'UNKNOWN')
              AND o.created_at BETWEEN p.created_at - interval '1 hour' AND p.created_at + interval '1 hour'
       )
    HAVING count(*) = 1
$$;
