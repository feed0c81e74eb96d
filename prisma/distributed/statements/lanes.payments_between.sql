-- Payments that were paid in a period, of one short code or of all (NULL). p_first, p_last: between which moments they were
-- recorded, which has the index.
CREATE OR REPLACE FUNCTION lanes.payments_between(
    p_from timestamp, p_to timestamp, p_first timestamp, p_last timestamp, p_short_code text
)
RETURNS TABLE (short_code text, receipt text, paid_at timestamp, amount numeric)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT l.short_code::text, l.mpesa_receipt::text, l.paid_at::timestamp, l.amount::numeric
      FROM services.mpesa_logs l
     WHERE l.created_at >= p_first AND l.created_at < p_last AND l.paid_at >= p_from AND l.paid_at < p_to
       AND l.short_code IS NOT NULL AND (p_short_code IS NULL OR l.short_code = p_short_code);
END
$$;
