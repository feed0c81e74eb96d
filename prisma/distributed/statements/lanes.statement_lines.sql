-- The lines of a short code's statements in a period.
CREATE OR REPLACE FUNCTION lanes.statement_lines(p_short_code text, p_from timestamp, p_to timestamp)
RETURNS SETOF services.mpesa_statement_lines
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    RETURN QUERY
    SELECT l.*
      FROM services.mpesa_statement_lines l
     WHERE l.short_code = p_short_code AND l.completed_at >= p_from AND l.completed_at < p_to;
END
$$;
