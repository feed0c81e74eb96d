-- The lines that explain these movements.
CREATE OR REPLACE FUNCTION lanes.matched_lines(p_transactions uuid[])
RETURNS TABLE (transaction_id uuid, line_id uuid, completed_at timestamp, paid_in numeric)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
BEGIN
    IF cardinality(p_transactions) > 0 THEN
        RETURN QUERY
        SELECT m.transaction_id, m.line_id, l.completed_at::timestamp, l.paid_in::numeric
          FROM services.mpesa_matches m
          JOIN services.mpesa_statement_lines l ON l.id = m.line_id
         WHERE m.transaction_id = ANY (p_transactions);
    END IF;
END
$$;
