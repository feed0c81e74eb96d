-- Lets those who name the same thing go one after the other, on whichever nodes they are: what pg_advisory_xact_lock does on
-- one. A row that is written and taken away again in one transaction is waited for until its end, and leaves nothing.
CREATE OR REPLACE FUNCTION lanes.lock_name(p_name text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    -- No reference has a colon.
    v_row constant text := 'lock:' || left(encode(sha256(convert_to(p_name, 'UTF8')), 'hex'), 45);
BEGIN
    INSERT INTO lanes.claims (reference, lane) VALUES (v_row, 0);
    DELETE FROM lanes.claims c WHERE c.reference = v_row;
END
$$;
