-- Which movements the lines of a period explain.
CREATE OR REPLACE FUNCTION lanes.matches_of_period(p_short_code text, p_from timestamp, p_to timestamp)
RETURNS SETOF services.mpesa_matches
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    RETURN QUERY
    SELECT m.*
      FROM services.mpesa_statement_lines l
      JOIN services.mpesa_matches m ON m.line_id = l.id
     WHERE l.short_code = p_short_code AND l.completed_at >= p_from AND l.completed_at < p_to;
END
$$;
