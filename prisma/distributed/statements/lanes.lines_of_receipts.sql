-- The lines of a short code's statements with these receipts.
CREATE OR REPLACE FUNCTION lanes.lines_of_receipts(p_short_code text, p_receipts text[])
RETURNS SETOF services.mpesa_statement_lines
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    IF cardinality(p_receipts) > 0 THEN
        RETURN QUERY
        SELECT l.* FROM services.mpesa_statement_lines l WHERE l.receipt = ANY (p_receipts) AND l.short_code = p_short_code;
    END IF;
END
$$;
