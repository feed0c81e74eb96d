-- Writes down who assigned a payment in suspense, and why, in the statement that assigned it.
--
-- p_reference: of the assignment that was just posted; NULL where none was, and nothing is written.
CREATE OR REPLACE FUNCTION services.note_assignment(p_receipt text, p_reference text, p_by text, p_reason text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_reference IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_decisions (receipt, decision, reason, decided_by, reference)
    VALUES (p_receipt, 'ASSIGNED', p_reason, p_by, p_reference);
    PERFORM set_config('daftari.door', '', true);
END
$$;
