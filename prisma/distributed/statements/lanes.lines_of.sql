-- These lines of statements.
CREATE OR REPLACE FUNCTION lanes.lines_of(p_ids uuid[])
RETURNS SETOF services.mpesa_statement_lines
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    IF cardinality(p_ids) > 0 THEN
        RETURN QUERY SELECT l.* FROM services.mpesa_statement_lines l WHERE l.id = ANY (p_ids);
    END IF;
END
$$;
