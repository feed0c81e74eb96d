-- What people's corrections changed of these deposits: see services.deposit_amount, which asks for one.
CREATE OR REPLACE FUNCTION lanes.corrections_of(p_receipts text[])
RETURNS TABLE (receipt text, amount numeric)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT substr(e.reference, 4), CASE WHEN e.type = 'DEPOSIT' THEN e.amount ELSE -e.amount END
      FROM lanes.entries_of(ARRAY(SELECT DISTINCT 'CR-' || r.receipt FROM unnest(p_receipts) AS r (receipt))) e;
END
$$;
