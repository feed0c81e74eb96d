-- Lines of a period from which something was posted, or which explain a reversal: their movements, and what each changed.
CREATE OR REPLACE FUNCTION lanes.posted_lines(p_short_code text, p_from timestamp, p_to timestamp)
RETURNS TABLE (transaction_id uuid, amount numeric)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT m.transaction_id, (l.paid_in - l.withdrawn)::numeric
      FROM services.mpesa_statement_lines l
      JOIN services.mpesa_matches m ON m.line_id = l.id
     WHERE l.short_code = p_short_code AND l.completed_at >= p_from AND l.completed_at < p_to
       AND l.kind IN ('charge', 'sweep', 'reversal');
END
$$;
