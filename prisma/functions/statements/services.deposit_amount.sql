-- What a deposit comes to now: its amount, and the correction that a person posted (see services.resolve_callback).
CREATE OR REPLACE FUNCTION services.deposit_amount(p_receipt text, p_amount numeric)
RETURNS numeric
LANGUAGE sql
STABLE
AS $$
    SELECT p_amount + coalesce((
        SELECT CASE WHEN c.type = 'DEPOSIT' THEN c.amount ELSE -c.amount END
          FROM core.transactions c
         WHERE c.reference = 'CR-' || p_receipt
    ), 0)
$$;
