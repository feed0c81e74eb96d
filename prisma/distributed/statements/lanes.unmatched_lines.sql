-- Payments and reversals of a short code's statements in a period that explain no movement yet.
CREATE OR REPLACE FUNCTION lanes.unmatched_lines(p_short_code text, p_from timestamp, p_to timestamp)
RETURNS SETOF services.mpesa_statement_lines
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    RETURN QUERY
    SELECT l.*
      FROM services.mpesa_statement_lines l
     WHERE l.short_code = p_short_code AND l.completed_at >= p_from AND l.completed_at < p_to
       AND l.is_completed AND l.account_key = '' AND l.kind IN ('payment', 'reversal')
       AND NOT EXISTS (SELECT FROM services.mpesa_matches m WHERE m.line_id = l.id);
END
$$;
