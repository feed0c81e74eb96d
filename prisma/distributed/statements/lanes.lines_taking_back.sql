-- The lines by which M-PESA took these payments back.
CREATE OR REPLACE FUNCTION lanes.lines_taking_back(p_short_code text, p_receipts text[])
RETURNS SETOF services.mpesa_statement_lines
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    IF cardinality(p_receipts) > 0 THEN
        RETURN QUERY
        SELECT l.*
          FROM services.mpesa_statement_lines l
         WHERE l.linked_receipt = ANY (p_receipts) AND l.short_code = p_short_code AND l.kind = 'reversal' AND l.is_completed;
    END IF;
END
$$;
